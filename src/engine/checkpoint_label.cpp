#include "engine/checkpoint_label.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "layer/crc32.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kPieceBytes = 1 * size::kMiB;
constexpr std::size_t kMaxFiles = 1'000'000;

Result<sys::Fd> open_images(const std::string& directory) {
    return sys::open_path(directory, O_RDONLY | O_DIRECTORY);
}

Result<CheckpointFile> measure(const sys::Fd& dir, const std::string& name) {
    // A FIFO of that name must not be waited for.
    const sys::Fd file = KNARR_TRY(sys::open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    CheckpointFile found{.name = name};
    layer::Crc32 sum;
    std::string piece(kPieceBytes, '\0');
    while (true) {
        const std::size_t got = KNARR_TRY(sys::read_into(file, found.bytes, piece), "{}", name);
        sum.update(std::string_view(piece).substr(0, got));
        found.bytes += got;
        if (got < piece.size()) {
            found.sum = sum.value();
            return found;
        }
    }
}

Result<> check_file(const sys::Fd& dir,
                    const std::string& directory,
                    const CheckpointFile& written) {
    const auto found = measure(dir, written.name);
    if (!found && found.error().sys_errno != ENOENT) {
        return fail(found.error());
    }
    if (found && found->bytes == written.bytes && found->sum == written.sum) {
        return {};
    }
    const std::string what = !found ? std::string("is not there")
                             : found->bytes == written.bytes
                                 ? std::string("is not as it was written")
                                 : fmt::format("has {} bytes of {}", found->bytes, written.bytes);
    return fail(Error{.code = Errc::corrupt,
                      .message = fmt::format("the checkpoint in {} is damaged: {} {}",
                                             printable(directory),
                                             printable(written.name),
                                             what),
                      .hint = fmt::format("take it from where it is whole; {} has the sums, and "
                                          "without that file CRIU is asked all the same",
                                          kCheckpointLabel)});
}

}  // namespace

std::string encode_label(const CheckpointLabel& label) {
    spec::JsonWriter json;
    json.begin_object().member("version", 1).member("architecture", label.architecture);
    json.member("memoryOnly", label.memory_only).key("files").begin_array();
    for (const CheckpointFile& file : label.files) {
        json.begin_object().member("name", file.name).member("bytes", file.bytes);
        json.member("crc32", file.sum).end_object();
    }
    json.end_array().end_object();
    return std::move(json).text();
}

Result<CheckpointLabel> decode_label(std::string_view text) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kCheckpointLabel}));
    CheckpointLabel label;
    KNARR_TRY(document.root().required("architecture", label.architecture));
    KNARR_TRY(document.root().optional("memoryOnly", label.memory_only));
    const auto files = document.root().find("files");
    if (!files) {
        return label;
    }
    KNARR_TRY(files->expect(spec::JsonKind::array));
    for (const auto& [name, value] : files->children()) {
        CheckpointFile file;
        KNARR_TRY(value.required("name", file.name));
        KNARR_TRY(value.required("bytes", file.bytes));
        KNARR_TRY(value.required("crc32", file.sum));
        if (file.name.empty() || file.name.find('/') != std::string::npos) {
            return fail(value.error("its name is no file's"));
        }
        label.files.push_back(std::move(file));
    }
    return label;
}

std::vector<std::string> image_files(const std::string& directory) {
    const auto dir = open_images(directory);
    auto names = dir ? sys::list_dir(*dir) : fail(dir.error());
    if (!names) {
        return {};
    }
    std::erase_if(*names, [](const std::string& name) { return !name.ends_with(".img"); });
    std::ranges::sort(*names);
    return std::move(*names);
}

Result<> label_checkpoint(const std::string& directory, bool memory_only) {
    const sys::Fd dir = KNARR_TRY(open_images(directory));
    CheckpointLabel label{
        .architecture = KNARR_TRY(sys::machine_name()), .memory_only = memory_only, .files = {}};
    std::vector<std::string> names = image_files(directory);
    names.resize(std::min(names.size(), kMaxFiles));
    for (const std::string& name : names) {
        label.files.push_back(KNARR_TRY(measure(dir, name)));
    }
    return sys::replace_file(dir, kCheckpointLabel, encode_label(label), 0600);
}

void remove_new_images(const std::string& directory, const std::vector<std::string>& before) {
    const auto dir = open_images(directory);
    for (const std::string& name : image_files(directory)) {
        if (dir && !std::ranges::binary_search(before, name)) {
            static_cast<void>(sys::unlink_at(*dir, name));  // the error is told already
        }
    }
}

Result<> check_checkpoint(const std::string& directory) {
    const auto dir = open_images(directory);
    const auto text =
        dir ? sys::read_file_at(*dir, kCheckpointLabel, limits::kMaxStateBytes) : fail(dir.error());
    if (!text && text.error().sys_errno == ENOENT) {
        return {};
    }
    if (!text) {
        return fail(text.error());
    }
    const CheckpointLabel label = KNARR_TRY(decode_label(*text));
    const std::string machine = KNARR_TRY(sys::machine_name());
    if (label.architecture != machine) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("the checkpoint in {} was made on {}; this "
                                                 "machine is {}, which cannot go on with it",
                                                 printable(directory),
                                                 printable(label.architecture),
                                                 machine),
                          .hint = "restore it on a machine of that architecture"});
    }
    if (label.memory_only) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("the checkpoint in {} is a pre-dump: it has "
                                                 "memory alone",
                                                 printable(directory)),
                          .hint = "make another one with --parent-path that leads to it, and "
                                  "restore that"});
    }
    for (const CheckpointFile& file : label.files) {
        KNARR_TRY(check_file(*dir, directory, file));
    }
    return {};
}

std::uint64_t memory_in(const std::string& directory) {
    std::uint64_t bytes = 0;
    const auto dir = open_images(directory);
    for (const std::string& name : image_files(directory)) {
        if (dir && name.starts_with("pages-")) {
            const auto stat = sys::stat_at(*dir, name);
            bytes += stat && *stat ? static_cast<std::uint64_t>((*stat)->st_size) : 0;
        }
    }
    return bytes;
}

}  // namespace knarr::engine
