"""The snapshot agent: what ships to etcd members. Standard library, boto and a few modules of haplane's own."""
