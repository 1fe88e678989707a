// References. A reference file is an OCI index of one descriptor, so that the image-spec codec
// reads and writes it, and other tools can: the reference and the time are its annotations.
#include <algorithm>

#include "core/limits.h"
#include "store/store.h"

namespace knarr::store {

namespace {

constexpr std::string_view kReferenceKey = "org.opencontainers.image.ref.name";
constexpr std::string_view kTimeKey = "dev.knarr.pulled";

std::string ref_name(std::string_view reference) {
    return fmt::format("{}.json", sha256_of(reference).hex());
}

Result<Ref> decode_ref(const std::string& name, std::string_view json) {
    auto decoded = spec::decode_manifest_or_index(json, spec::media::kOciIndex);
    if (!decoded || !decoded->index || decoded->index->manifests.size() != 1) {
        return fail(Errc::corrupt, "refs/{} is not a reference: remove the file", name);
    }
    spec::Descriptor& target = decoded->index->manifests.front();
    const auto reference = target.annotations.find(std::string(kReferenceKey));
    if (reference == target.annotations.end() || ref_name(reference->second) != name) {
        return fail(Errc::corrupt, "refs/{} names another reference: remove the file", name);
    }
    return Ref{.reference = reference->second,
               .media_type = target.media_type,
               .digest = target.digest,
               .size = target.size,
               .pulled_time = target.annotations[std::string(kTimeKey)]};
}

}  // namespace

Result<> Store::put_ref(const Ref& ref) const {
    if (ref.reference.empty() || ref.reference.size() > limits::kMaxReferenceBytes) {
        return fail(Errc::invalid_argument,
                    "a reference has 1 to {} bytes, this one {}",
                    limits::kMaxReferenceBytes,
                    ref.reference.size());
    }
    const spec::Index index{
        .media_type = std::string(spec::media::kOciIndex),
        .manifests = {spec::Descriptor{.media_type = ref.media_type,
                                       .digest = ref.digest,
                                       .size = ref.size,
                                       .platform = std::nullopt,
                                       .annotations = {{std::string(kReferenceKey), ref.reference},
                                                       {std::string(kTimeKey), ref.pulled_time}},
                                       .artifact_type = {}}},
        .annotations = {}};
    // No collector takes the file that is about to become the reference for a leftover.
    const sys::FileLock lock = KNARR_TRY(
        sys::FileLock::acquire(dir_, std::string(kStoreLock), sys::FileLock::Kind::shared));
    return sys::replace_file(refs_, ref_name(ref.reference), spec::encode_index(index), 0600);
}

Result<std::optional<Ref>> Store::get_ref(std::string_view reference) const {
    const std::string name = ref_name(reference);
    auto json = sys::read_file_at(refs_, name, limits::kMaxManifestBytes);
    if (!json && json.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    const std::string text = KNARR_TRY(std::move(json), "read reference {}", reference);
    return KNARR_TRY(decode_ref(name, text));
}

Result<std::vector<Ref>> Store::list_refs() const {
    std::vector<Ref> all;
    for (const std::string& name : KNARR_TRY(sys::list_dir(refs_), "list references")) {
        if (name.starts_with('.')) {
            continue;  // being replaced
        }
        auto json = sys::read_file_at(refs_, name, limits::kMaxManifestBytes);
        if (!json && json.error().sys_errno == ENOENT) {
            continue;  // removed since
        }
        const std::string text = KNARR_TRY(std::move(json), "read references");
        all.push_back(KNARR_TRY(decode_ref(name, text)));
    }
    std::sort(all.begin(), all.end(), [](const Ref& a, const Ref& b) {
        return a.reference < b.reference;
    });
    return all;
}

Result<bool> Store::remove_ref(std::string_view reference) const {
    const std::string name = ref_name(reference);
    const bool there = KNARR_TRY(sys::stat_at(refs_, name)).has_value();
    KNARR_TRY(sys::unlink_at(refs_, name), "remove reference {}", reference);
    return there;
}

}  // namespace knarr::store
