// The built program, spoken to as a kubelet and external-attacher do: VOLUME_PLUGIN=PROGRAM go test
package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func started(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	program := os.Getenv("VOLUME_PLUGIN")
	if program == "" {
		t.Skip("VOLUME_PLUGIN names no program")
	}
	kubelet := t.TempDir()
	left := newPlugin("n1", kubelet) // a socket that a lost node left behind is in nobody's way
	for _, path := range []string{left.socket, left.registrationSocket} {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(program, "--node", "n1", "--kubelet", kubelet)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	return command, kubelet
}

func dialled(t *testing.T, path string) (*grpc.ClientConn, context.Context) {
	t.Helper()
	connection, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return connection, ctx
}

func TestItRegistersServesAndLeavesNothing(t *testing.T) {
	command, kubelet := started(t)
	wanted := newPlugin("n1", kubelet)

	registry, ctx := dialled(t, wanted.registrationSocket)
	info, err := registration.NewRegistrationClient(registry).GetInfo(
		ctx, &registration.InfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	if info.Type != registration.CSIPlugin || info.Name != driver || info.Endpoint != wanted.socket {
		t.Fatalf("registered as %v", info)
	}

	services, ctx := dialled(t, info.Endpoint)
	identity, node := csi.NewIdentityClient(services), csi.NewNodeClient(services)
	if _, err := identity.Probe(ctx, &csi.ProbeRequest{}); err != nil {
		t.Fatal(err)
	}
	capabilities, err := identity.GetPluginCapabilities(ctx, &csi.GetPluginCapabilitiesRequest{})
	if err != nil || len(capabilities.GetCapabilities()) != 0 {
		t.Fatalf("external-attacher would ask it to attach: %v, %v", capabilities, err)
	}
	if found, err := node.NodeGetInfo(ctx, &csi.NodeGetInfoRequest{}); err != nil || found.GetNodeId() != "n1" {
		t.Fatalf("its node is %v, %v", found, err)
	}
	publishes(ctx, t, node, filepath.Join(kubelet, "pods", "uid", "mount"))

	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatalf("it ended with %v", err)
	}
	for _, path := range []string{wanted.socket, wanted.registrationSocket} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

// Each twice, as kubelets do that were interrupted; and unpublished where the node lost the mount with its power.
func publishes(ctx context.Context, t *testing.T, node csi.NodeClient, target string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("only root can mount")
		return
	}
	publish := &csi.NodePublishVolumeRequest{VolumeId: "v", TargetPath: target}
	unpublish := &csi.NodeUnpublishVolumeRequest{VolumeId: "v", TargetPath: target}
	for range 2 {
		if _, err := node.NodePublishVolume(ctx, publish); err != nil {
			t.Fatal(err)
		}
	}
	if mounted, err := isMounted(target); err != nil || !mounted {
		t.Fatalf("nothing is mounted: %v", err)
	}
	for range 2 {
		if _, err := node.NodeUnpublishVolume(ctx, unpublish); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := node.NodeUnpublishVolume(ctx, unpublish); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Fatalf("%s is still there: %v", target, err)
	}
}
