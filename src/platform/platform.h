#pragma once
// platform: the only room that calls the kernel. Thin functions named after the call, by
// descriptor, close-on-exec, EINTR retried; they never decide policy. Everything is in knarr::sys.
//
//   fd.h file.h node.h disk.h xattr.h     descriptors; files beneath a root (openat2); what has to
//                                         reach the disk; attributes
//   absent.h pages.h                      errors that say that there is no such path; memory by
//   kept_offsets.h mapped_file.h          the page; offsets that outlive who moves bytes by them;
//                                         a file's bytes where they lie
//   mount.h mountinfo.h mounts_below.h    the mount API by descriptor; /proc/PID/mountinfo, and
//                                         what of it lies below a directory
//   host_mount.h image_mount.h            mounts by the operator's path; file systems out of files
//   process.h pidfd.h task.h signal.h     clone3, namespaces; processes that cannot be mistaken;
//   user_namespace.h among_threads.h thread.h  properties of our own process; signals to be read;
//   IDs; told_pid.h                            clones in an embedder that has threads; the pid of a
//                                         child whose maker is killed
//   network_maker.h                       a network namespace, made while we do something else
//   run_program.h spawn.h worker.h        children: a hook, an unprivileged helper program, a
//   worker_filter.h                       jailed copy of ourselves for hostile input, and what that
//                                         may ask of the kernel
//   trampoline.h own_copy.h sealed_memory.h  the last exec, so that knarr's file is never in reach;
//   exe_file.h sanitized.h                knarr itself from a file that nobody can write; builds
//                                         with AddressSanitizer
//   cgroup.h cgroup_devices.h             cgroup directories and texts; v2 device programs
//   cgroup_freeze.h cgroup_files.h        a cgroup that stands still; its files, read and changed
//   cgroup_stats.h oom_watch.h            what it has used; when it runs out of memory
//   process_cgroup.h cgroup_write.h       the cgroups of a process; one write to a cgroup's file
//   resctrl.h netlink.h                   classes of caches and of memory bandwidth; interfaces
//   seccomp.h seccomp_tree.h              the seccomp filter: policy -> tree -> BPF; call numbers;
//   seccomp_bpf.h syscall_table.h         what the tree grows of: a rule's chain of nodes
//   seccomp_chain.h seccomp_node.h
//   seccomp_listener.h seccomp_probe.h    its listener; which of its flags this kernel knows
//   capability.h                          names and sets of capabilities
//   socket.h unix_socket.h terminal.h     packets with descriptors; sockets by path; terminals
//   descriptor_packet.h pipe_owner.h      how such packets are laid out; pipes become the user's
//   stream.h                              streams that outlive who reads them, moved into files
//   raw_terminal.h                        the caller's terminal, raw while a container's is shown
//   path_access.h path_owner.h            which directory on the way is closed to us; who else
//                                         decides where a path leads
//   environment.h standard_stream.h       the caller's environment, out of a container's sight; its
//                                         three streams
//   patience.h rest.h timer.h             waiting where only asking again helps; waiting for long;
//                                         a clock beside other descriptors
//   host_facts.h                          what this host can do, probed once, passed in as a value

#include "platform/fd.h"
#include "platform/file.h"
