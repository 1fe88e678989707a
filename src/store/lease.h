#pragma once
// What a process is about to use or to refer to, kept from collectors in other processes.
//
//   who adds                                    who collects
//   protect(digests)   (lock shared)            lock exclusive:
//   is it stored? fetch and store what is not     leases, then references -> what stays
//   put the reference                             the rest goes
//   end of the lease
//
// protect() comes before the question what is stored: a collector was there before, and the answer
// is true, or comes later and sees the lease. It reads leases before references, so that a lease
// which ended left its reference behind. A lease is a file in leases/ that its owner holds a lock
// on; one whose lock can be had belongs to a process that was killed, and protects nothing.

#include <string>
#include <vector>

#include "platform/file.h"
#include "spec/image.h"

namespace knarr::store {

class Lease {
public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();

    /// From here on no collector of any process removes these blobs and layers (chain IDs), stored
    /// already or yet to come, until the lease ends. Errors: limit_exceeded, in hundred thousands.
    Result<> protect(const std::vector<spec::Digest>& digests) const;

private:
    friend class Store;
    Lease() = default;

    sys::Fd store_, leases_;
    sys::Fd file_;      // in leases_, flocked
    std::string name_;  // empty: moved from
};

}  // namespace knarr::store
