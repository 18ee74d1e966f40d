// The node plugin of the drills' volumes: a CSI driver whose volumes are attached to nodes and hold nothing.
//
// Attaching is the attach/detach controller's and external-attacher's, as with any driver that requires it. This is
// the rest: it registers with the kubelet of its node and mounts an empty tmpfs where a pod is to find the volume.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const (
	driver     = "volumes.haplane.invalid"
	apiVersion = "1.0.0" // of CSI, as the kubelet knows it
)

type plugin struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer
	node, socket, registrationSocket string
}

func newPlugin(node, kubelet string) *plugin {
	return &plugin{
		node:               node,
		socket:             filepath.Join(kubelet, "plugins", driver, "csi.sock"),
		registrationSocket: filepath.Join(kubelet, "plugins_registry", driver+"-reg.sock"),
	}
}

func (*plugin) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: driver, VendorVersion: apiVersion}, nil
}

// Without CONTROLLER_SERVICE external-attacher calls a volume attached as soon as it is to be.
func (*plugin) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (*plugin) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (p *plugin) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: p.node}, nil
}

func (*plugin) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (*plugin) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	target := request.GetTargetPath()
	if target == "" || request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id and a target path are needed")
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, failed(err)
	}
	mounted, err := isMounted(target)
	if err == nil && !mounted {
		err = syscall.Mount(driver, target, "tmpfs", syscall.MS_NODEV|syscall.MS_NOSUID, "size=1m")
	}
	if err != nil {
		return nil, failed(err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// What a node lost with its power is unpublished as well: there may be a directory, or nothing.
func (*plugin) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	target := request.GetTargetPath()
	if target == "" || request.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume id and a target path are needed")
	}
	mounted, err := isMounted(target)
	if err == nil && mounted {
		err = syscall.Unmount(target, 0)
	}
	if err == nil || os.IsNotExist(err) {
		err = os.Remove(target)
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, failed(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func isMounted(target string) (bool, error) {
	var here, above syscall.Stat_t
	if err := syscall.Stat(target, &here); err != nil {
		return false, err
	}
	if err := syscall.Stat(filepath.Dir(target), &above); err != nil {
		return false, err
	}
	return here.Dev != above.Dev, nil
}

func failed(err error) error {
	return status.Error(codes.Internal, err.Error())
}

func (p *plugin) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              driver,
		Endpoint:          p.socket,
		SupportedVersions: []string{apiVersion},
	}, nil
}

func (*plugin) NotifyRegistrationStatus(
	_ context.Context, reply *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !reply.GetPluginRegistered() {
		log.Printf("the kubelet did not register the driver: %s", reply.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// run serves the driver, then tells the kubelet of it, until stop is closed. It leaves no socket.
func (p *plugin) run(stop <-chan os.Signal) error {
	services, registry := grpc.NewServer(), grpc.NewServer()
	csi.RegisterIdentityServer(services, p)
	csi.RegisterNodeServer(services, p)
	registration.RegisterRegistrationServer(registry, p)
	ended := make(chan error, 2)
	for _, one := range []struct {
		path   string
		server *grpc.Server
	}{{p.socket, services}, {p.registrationSocket, registry}} {
		listener, err := listen(one.path)
		if err != nil {
			return err
		}
		go func() { ended <- one.server.Serve(listener) }()
	}
	defer services.Stop()
	defer registry.Stop()
	select {
	case err := <-ended:
		return err
	case <-stop:
		return nil
	}
}

// listen takes the place of a socket that a lost node left behind.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return net.Listen("unix", path)
}

func main() {
	node := flag.String("node", "", "the name of the Node that this runs on")
	kubelet := flag.String("kubelet", "/var/lib/kubelet", "the kubelet's directory")
	flag.Parse()
	if *node == "" {
		log.Fatal("--node is needed")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if err := newPlugin(*node, *kubelet).run(stop); err != nil {
		log.Fatal(err)
	}
}
