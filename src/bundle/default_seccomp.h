#pragma once

#include <string>
#include <vector>

#include "spec/runtime_config.h"

namespace knarr::bundle {

/// The seccomp profile of a container that is made from an image and can have at most these
/// capabilities ("CAP_SYS_ADMIN"): one beyond the default ones brings the calls that it is for.
///
/// An allowlist. Calls that are known and refused fail with EPERM; what the list has never heard of
/// fails with ENOSYS, so that a C library falls back to the older call. Refused are the calls that
/// need capabilities a container does not have, that make namespaces or mounts, reach kernel
/// facilities without namespaces (keys, bpf, perf, io_uring, userfaultfd) or are obsolete; clone3
/// fails with ENOSYS because its flags lie behind a pointer; sockets of the families AF_ALG and
/// AF_VSOCK are refused (the kernel's crypto sockets wrote into shared page cache; VM sockets reach
/// the host). socketcall of 32-bit programs stays allowed, its arguments cannot be seen.
spec::Seccomp default_seccomp(const std::vector<std::string>& capabilities = {});

}  // namespace knarr::bundle
