#pragma once
// A layer's directory before anybody can find it: layers/.tmp-X/{fs,lock,...}, locked by its maker.

#include <cstdint>
#include <string>

#include "platform/file.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::layer {

/// The destructor removes what was not published.
class Staged {
public:
    /// For the layer `chain_id`. Errors: no_space, io.
    static Result<Staged> make(const store::Store& store, const spec::Digest& chain_id);

    Staged(Staged&& other) noexcept;
    Staged& operator=(Staged&& other) noexcept;
    Staged(const Staged&) = delete;
    Staged& operator=(const Staged&) = delete;
    ~Staged() { discard(); }

    const sys::Fd& dir() const { return dir_; }
    /// The directory where the layer's files show.
    const sys::Fd& fs() const { return fs_; }
    /// Whoever holds this open keeps others from taking the directory for a killed process's.
    const sys::Fd& lock() const { return lock_; }
    /// A new file in dir(), open for reading and writing.
    Result<sys::Fd> make_file(const std::string& name) const;

    /// Gives it its name, durably. One that another process made meanwhile stays instead.
    Result<> publish();
    void discard() noexcept;

private:
    Staged() = default;
    sys::Fd layers_, dir_, fs_, lock_;
    std::string name_;  // in layers/; empty: nothing to remove
    std::string final_name_;
};

/// A detached mount of `dir` for a worker: ".." ends at it, so that its descriptor is no way out of
/// the worker's jail. `attributes`: MOUNT_ATTR_* besides those that take all powers from its files.
Result<sys::Fd> jail_root(const sys::Fd& dir, std::uint64_t attributes);

}  // namespace knarr::layer
