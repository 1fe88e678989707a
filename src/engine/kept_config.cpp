#include "engine/kept_config.h"

#include <cerrno>
#include <cstring>

#include <linux/bpf_common.h>

#include "core/limits.h"

namespace knarr::engine {

namespace {

struct FilterHeader {
    char magic[8] = {'k', 'n', 'a', 'r', 'r', 'b', 'p', 'f'};
    std::uint32_t flags = 0;
    std::uint32_t needs_listener = 0;
};

/// What tells a filter from a part of it, and from another: FNV-1a, which guards against damage and
/// not against root.
std::string mark_of(std::string_view filter) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char byte : filter) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    }
    return fmt::format("{}:{:016x}", filter.size(), hash);
}

/// Fails closed: what runs in the container later is held by the filter that the container is.
Result<std::optional<sys::SeccompProgram>> load_filter(const sys::Fd& dir,
                                                       const spec::RuntimeConfig& config) {
    const auto mark = config.annotations.find(kKeptFilterMark);
    const bool is_marked = mark != config.annotations.end();
    const auto filter = sys::read_file_at(dir, kKeptSeccompFile, limits::kMaxStateBytes);
    if (!filter && (filter.error().sys_errno != ENOENT || is_marked)) {
        return fail(Error(filter.error()).within("its seccomp filter"));
    }
    if (!filter) {
        return std::nullopt;
    }
    if (is_marked && mark->second != mark_of(*filter)) {
        return fail(Errc::corrupt, "its seccomp filter is not the one that was kept");
    }
    return KNARR_TRY(decode_filter(*filter));
}

}  // namespace

spec::RuntimeConfig part_to_keep(const spec::RuntimeConfig& config) {
    spec::RuntimeConfig kept;
    kept.oci_version = config.oci_version;
    kept.process = config.process;
    kept.annotations = config.annotations;
    if (config.linux_) {
        spec::Linux& part = kept.linux_.emplace();
        part.namespaces = config.linux_->namespaces;
        part.uid_mappings = config.linux_->uid_mappings;
        part.gid_mappings = config.linux_->gid_mappings;
        part.personality = config.linux_->personality;
        part.memory_policy = config.linux_->memory_policy;
    }
    return kept;
}

std::string encode_filter(const sys::SeccompProgram& program) {
    const FilterHeader header{.flags = program.flags,
                              .needs_listener = program.needs_listener ? 1U : 0U};
    const std::size_t code_bytes = program.code.size() * sizeof(sock_filter);
    std::string bytes(sizeof header + code_bytes, '\0');
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, program.code.data(), code_bytes);
    return bytes;
}

Result<sys::SeccompProgram> decode_filter(std::string_view bytes) {
    FilterHeader header;
    const FilterHeader ours;
    const std::size_t code_bytes = bytes.size() - std::min(bytes.size(), sizeof header);
    const std::size_t count = code_bytes / sizeof(sock_filter);
    if (bytes.size() < sizeof header || code_bytes % sizeof(sock_filter) != 0 || count == 0 ||
        count > BPF_MAXINSNS) {
        return fail(Errc::corrupt, "seccomp filter of {} bytes", bytes.size());
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, ours.magic, sizeof ours.magic) != 0) {
        return fail(Errc::corrupt, "no seccomp filter of knarr's");
    }
    sys::SeccompProgram program;
    program.flags = header.flags;
    program.needs_listener = header.needs_listener != 0;
    program.code.resize(count);
    std::memcpy(program.code.data(), bytes.data() + sizeof header, code_bytes);
    return program;
}

Result<bool> had_record(const sys::Fd& dir) {
    return KNARR_TRY(sys::stat_at(dir, kRecordFile)).has_value() ||
           KNARR_TRY(sys::stat_at(dir, kKeptConfigFile)).has_value();
}

Result<> keep_config(const LockedDir& dir,
                     const spec::RuntimeConfig& config,
                     const std::optional<sys::SeccompProgram>& seccomp) {
    // No reader sees a part of it, because the record that leads here comes later.
    spec::RuntimeConfig kept = part_to_keep(config);
    if (seccomp) {
        const std::string filter = encode_filter(*seccomp);
        kept.annotations[kKeptFilterMark] = mark_of(filter);
        KNARR_TRY(sys::make_file_at(dir.fd(), kKeptSeccompFile, filter, 0600));
    }
    return sys::make_file_at(dir.fd(), kKeptConfigFile, spec::encode_runtime_config(kept), 0600);
}

Result<KeptConfig> load_kept_config(const sys::Fd& dir) {
    KeptConfig kept;
    const std::string text =
        KNARR_TRY(sys::read_file_at(dir, kKeptConfigFile, limits::kMaxStateBytes));
    Result<spec::RuntimeConfig> config = spec::decode_runtime_config(text);
    if (!config || !config->process) {
        return fail(Errc::corrupt,
                    "{} of the container: {}",
                    kKeptConfigFile,
                    config ? "it has no process" : config.error().message);
    }
    kept.config = std::move(*config);
    kept.seccomp = KNARR_TRY(load_filter(dir, kept.config));
    return kept;
}

}  // namespace knarr::engine
