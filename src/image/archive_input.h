#pragma once
// What an archive is read from: a file, or what comes through a pipe, as a file that can be read
// anywhere.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/limits.h"
#include "image/deadline.h"
#include "layer/tar_file.h"
#include "platform/fd.h"
#include "store/store.h"

namespace knarr::image {

/// A path of the operator's; empty: standard input.
Result<sys::Fd> open_input(const std::string& path);

/// The input itself where it is a regular file, else a copy without a name in the store, which is
/// gone with the descriptor. Errors: limit_exceeded past the policy's bound on a root file system;
/// timed_out.
Result<sys::Fd> regular_file(const store::Store& store,
                             sys::Fd input,
                             const Limits& limits,
                             const Deadline& deadline);

/// Decompresses it to `output`, or only to know its digest; see layer/jailed_inflate.h.
/// Errors: timed_out too.
Result<layer::WrittenTar> inflate(const sys::Fd& input,
                                  const sys::Fd* output,
                                  std::uint64_t max_bytes,
                                  const Deadline& deadline);

/// A new file without a name in the store.
Result<sys::Fd> unnamed_file(const store::Store& store);

enum class Packing : std::uint8_t { none, gzip, zstd, bzip2, xz };
/// By the first bytes. Errors: invalid_image for a file that is too short for any archive.
Result<Packing> packing_of(const sys::Fd& file);
/// Errors: unsupported for bzip2 and xz, with how to hand the archive to `command`.
Result<> refuse_other_packing(Packing packing, std::string_view command);

}  // namespace knarr::image
