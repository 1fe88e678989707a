#pragma once
// check-style: table
// Options of docker's and podman's that verbs do not have, each with the reason and what does it
// here. tests/integration/test_peers_options.py holds them against the help of both.

#include <array>

#include "cli/options.h"

namespace knarr::cli {

inline constexpr std::string_view kNoNetwork =
                                      "a container has no network but loopback, or the host's",
                                  kHostNetwork = "--network host gives it the host's network",
                                  kWindows = "it is for containers of Windows",
                                  kNoUserNamespace = "images run in no user namespace yet",
                                  kUseBundle = "a bundle with linux.uidMappings has one",
                                  kByPlatform = "an image is chosen by one word",
                                  kPlatform = "--platform OS/ARCH[/VARIANT]",
                                  kNoPods = "there are no pods yet",
                                  kNoNetworkLinks =
                                      "there are no links: containers have no "
                                      "network with each other",
                                  kNoColumn = "there is no such column",
                                  kDisksAtRun =
                                      "limits of single disks are set when a container "
                                      "is made",
                                  kDisksByFile = "run --device-read-bps, or --resources FILE here";

inline constexpr std::array kRefusedByRun{
    RefusedOption{.name = "ip", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "ip6", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "link", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "link-local-ip", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "mac-address", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "network-alias", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "net-alias", .why = kNoNetwork, .instead = kHostNetwork},
    RefusedOption{.name = "cpu-count", .why = kWindows, .instead = "--cpus"},
    RefusedOption{.name = "cpu-percent", .why = kWindows, .instead = "--cpus"},
    RefusedOption{.name = "io-maxbandwidth", .why = kWindows, .instead = "--device-read-bps"},
    RefusedOption{.name = "io-maxiops", .why = kWindows, .instead = "--device-read-iops"},
    RefusedOption{.name = "gpus",
                  .why = "what a GPU's driver wants in a container is not known here",
                  .instead = "--device /dev/dri, or /dev/nvidia0 and its like, and -v for the "
                             "driver's libraries"},
    RefusedOption{.name = "storage-opt",
                  .why = "a container's writable layer has no bound of its own",
                  .instead = "--read-only with a --tmpfs of a size"},
    RefusedOption{.name = "use-api-socket",
                  .why = "there is no daemon, and so no socket of one",
                  .instead = ""},
    RefusedOption{.name = "arch", .why = kByPlatform, .instead = kPlatform},
    RefusedOption{.name = "os", .why = kByPlatform, .instead = kPlatform},
    RefusedOption{.name = "variant", .why = kByPlatform, .instead = kPlatform},
    RefusedOption{.name = "uidmap", .why = kNoUserNamespace, .instead = kUseBundle},
    RefusedOption{.name = "gidmap", .why = kNoUserNamespace, .instead = kUseBundle},
    RefusedOption{.name = "subuidname", .why = kNoUserNamespace, .instead = kUseBundle},
    RefusedOption{.name = "subgidname", .why = kNoUserNamespace, .instead = kUseBundle},
    RefusedOption{.name = "hostuser", .why = kNoUserNamespace, .instead = kUseBundle},
    RefusedOption{.name = "pod", .why = kNoPods},
    RefusedOption{.name = "pod-id-file", .why = kNoPods},
    RefusedOption{.name = "init-ctr", .why = kNoPods},
    RefusedOption{.name = "cgroups",
                  .why = "each container has cgroups",
                  .instead = "knarr --cgroup-manager disabled makes none"},
    RefusedOption{.name = "chrootdirs",
                  .why = "there is no chroot in a container",
                  .instead = "-v shows files in another place"},
    RefusedOption{.name = "conmon-pidfile",
                  .why = "there is no conmon",
                  .instead = "knarr inspect -f '{{.State.Pid}}' is the program's pid"},
    RefusedOption{.name = "pidfile",
                  .why = "the pid of a program that may start again does not last",
                  .instead = "knarr inspect -f '{{.State.Pid}}'"},
    RefusedOption{.name = "env-host",
                  .why = "a container does not get all of your variables",
                  .instead = "-e NAME gives one of them, -e '*' all"},
    RefusedOption{.name = "env-merge",
                  .why = "variables are not made of others",
                  .instead = "have a shell in the container do it"},
    RefusedOption{.name = "http-proxy",
                  .why = "a container does not get your proxy by itself",
                  .instead = "-e http_proxy -e https_proxy give yours"},
    RefusedOption{.name = "image-volume",
                  .why = "the image's volumes are made as docker makes them",
                  .instead = "--tmpfs or -v in their place"},
    RefusedOption{.name = "init-path",
                  .why = "--init has one program",
                  .instead = "give yours with -v and --entrypoint"},
    RefusedOption{.name = "passwd",
                  .why = "/etc/passwd is the image's own",
                  .instead = "-v shows another one"},
    RefusedOption{.name = "passwd-entry",
                  .why = "/etc/passwd is the image's own",
                  .instead = "-v shows another one"},
    RefusedOption{.name = "requires",
                  .why = "containers do not start each other",
                  .instead = "a unit of systemd each, with After= and Requires="},
    RefusedOption{.name = "rmi",
                  .why = "an image is not removed by the way",
                  .instead = "knarr rmi IMAGE after"},
    RefusedOption{.name = "rootfs",
                  .why = "a directory is no image",
                  .instead = "a bundle: knarr spec, then knarr run --bundle DIR ID"},
    RefusedOption{.name = "sdnotify",
                  .why = "NOTIFY_SOCKET of knarr's environment decides",
                  .instead = "unset it for none"},
    RefusedOption{.name = "seccomp-policy",
                  .why = "images bring no profiles",
                  .instead = "--security-opt seccomp="},
    RefusedOption{.name = "secret",
                  .why = "there is no store of secrets",
                  .instead = "-v FILE:/run/secrets/NAME:ro"},
    RefusedOption{.name = "systemd",
                  .why = "a container is not prepared for a systemd in it",
                  .instead = "--tmpfs /run --tmpfs /tmp -e container=oci --stop-signal RTMIN+3"},
    RefusedOption{.name = "timeout",
                  .why = "a container has no end set",
                  .instead = "timeout(1) as its program, or before knarr"},
    RefusedOption{.name = "tz",
                  .why = "the time zone's files are the image's",
                  .instead = "-e TZ=Europe/Berlin, or -v /etc/localtime:/etc/localtime:ro"},
    RefusedOption{.name = "rdt-class",
                  .why = "classes of cache are not chosen for images",
                  .instead = "linux.intelRdt of a bundle"},
    RefusedOption{.name = "decryption-key", .why = "encrypted images are not read"},
};

inline constexpr std::array kRefusedByLogs{
    RefusedOption{.name = "color", .why = "lines are shown as they were written"},
    RefusedOption{.name = "names", .why = "one container is shown, and you have named it"},
};

inline constexpr std::array kRefusedByStart{
    RefusedOption{.name = "checkpoint",
                  .why = "docker's directory of checkpoints is not kept",
                  .instead = "knarr restore --image-path DIR"},
    RefusedOption{.name = "checkpoint-dir",
                  .why = "docker's directory of checkpoints is not kept",
                  .instead = "knarr restore --image-path DIR"},
};

inline constexpr std::array kRefusedByDelete{
    RefusedOption{.name = "link", .letter = 'l', .why = kNoNetworkLinks},
    RefusedOption{.name = "depend", .why = "containers do not depend on each other"},
};

inline constexpr std::array kRefusedByPs{
    RefusedOption{.name = "external", .why = "containers of other programs are not looked at"},
    RefusedOption{.name = "ns",
                  .why = kNoColumn,
                  .instead = "ls -l /proc/PID/ns; knarr inspect -f '{{.State.Pid}}' has the PID"},
    RefusedOption{.name = "pod", .letter = 'p', .why = kNoPods},
    RefusedOption{.name = "watch",
                  .letter = 'w',
                  .why = "it is shown once",
                  .instead = "watch knarr ps; knarr events tells changes"},
};

inline constexpr std::array kRefusedByUpdate{
    RefusedOption{.name = "memory-swappiness",
                  .why = "memory.swappiness is set when a container is made",
                  .instead = "run --memory-swappiness"},
    RefusedOption{.name = "blkio-weight-device",
                  .why = kDisksAtRun,
                  .instead = "run --blkio-weight-device, or --resources FILE here"},
    RefusedOption{.name = "device-read-bps", .why = kDisksAtRun, .instead = kDisksByFile},
    RefusedOption{.name = "device-read-iops", .why = kDisksAtRun, .instead = kDisksByFile},
    RefusedOption{.name = "device-write-bps", .why = kDisksAtRun, .instead = kDisksByFile},
    RefusedOption{.name = "device-write-iops", .why = kDisksAtRun, .instead = kDisksByFile},
};

inline constexpr std::array kRefusedByPort{
    RefusedOption{.name = "all", .letter = 'a', .why = "nothing is published, of any container"},
};

inline constexpr std::array kRefusedByCp{
    RefusedOption{
        .name = "overwrite",
        .why = "a directory does not take the place of a file, nor a file that of a directory",
        .instead = "remove what is there before"},
};

}  // namespace knarr::cli
