#include "spec/referrers.h"

#include <algorithm>

#include "core/core.h"
#include "spec/json_copy.h"
#include "spec/json_fields.h"

namespace knarr::spec {
namespace {

constexpr JsonSource kManifest{
    .name = "manifest", .failure = Errc::invalid_image, .max_bytes = limits::kMaxManifestBytes};
constexpr JsonSource kList{.name = "list of referrers",
                           .failure = Errc::invalid_image,
                           .max_bytes = limits::kMaxManifestBytes};

/// A digest of the registered algorithms. Of any other text a tag would be made that somebody else
/// may have: "v2:stable". Source: image-spec descriptor.md "Registered algorithms".
bool is_digest(std::string_view text) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view algorithm = text.substr(0, colon);
    const std::size_t digits = algorithm == "sha256" ? 64 : algorithm == "sha512" ? 128 : 0;
    return digits > 0 && text.size() == colon + 1 + digits &&
           std::ranges::all_of(text.substr(colon + 1), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// The index that `list` is. Errors: when it is anything else.
Result<> expect_list(std::string_view list, std::string_view media_type) {
    const auto content = KNARR_TRY(decode_manifest_or_index(list, media_type), "list of referrers");
    if (!content.index || content.index->media_type != media::kOciIndex) {
        return fail(Errc::invalid_image, "what has the tag of the list of referrers is no index");
    }
    return {};
}

void write_entry(JsonWriter& json, const Descriptor& entry) {
    json.begin_object().member("mediaType", entry.media_type);
    json.member("digest", entry.digest.text()).member("size", entry.size);
    FieldWriter writer(json);
    writer.optional("artifactType", entry.artifact_type);
    writer.optional("annotations", entry.annotations);
    json.end_object();
}

/// Writes the document again, with the entries that `stays` lets stay, then `added`.
template <typename Stays>
Result<std::string> rewrite(const JsonValue& root, Stays stays, const Descriptor* added) {
    JsonWriter out;
    out.begin_object();
    for (const auto& [name, member] : root.children()) {
        if (name != "manifests") {
            out.key(name);
            KNARR_TRY(copy_value(member, out));
        }
    }
    out.key("manifests").begin_array();
    if (const auto entries = root.find("manifests")) {
        for (const auto& [none, entry] : entries->children()) {
            if (stays(entry)) {
                KNARR_TRY(copy_value(entry, out));
            }
        }
    }
    if (added != nullptr) {
        write_entry(out, *added);
    }
    out.end_array().end_object();
    std::string text = std::move(out).text();
    if (text.size() > limits::kMaxManifestBytes) {
        return fail(Errc::limit_exceeded,
                    "the list of referrers would have {} bytes; at most {} are allowed",
                    text.size(),
                    limits::kMaxManifestBytes);
    }
    return text;
}

bool is_of(const JsonValue& entry, const Digest& digest) {
    const auto value = entry.find("digest");
    const auto text = value ? value->string() : Result<std::string_view>("");
    return text && *text == digest.text();
}

bool has(const JsonValue& root, const Digest& digest) {
    const auto entries = root.find("manifests");
    if (!entries) {
        return false;
    }
    for (const auto& [none, entry] : entries->children()) {
        if (is_of(entry, digest)) {
            return true;
        }
    }
    return false;
}

}  // namespace

Result<std::optional<Referral>> referral_of(std::string_view json, const Digest& digest) {
    const auto content = KNARR_TRY(decode_manifest_or_index(json, {}));
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, kManifest));
    const auto subject = document.root().find("subject");
    if (!subject) {
        return std::optional<Referral>();
    }
    std::string subject_digest;
    KNARR_TRY(subject->required("digest", subject_digest));
    if (!is_digest(subject_digest)) {
        return fail(subject->error_at("digest",
                                      fmt::format("\"{}\" is not a digest of sha256 or sha512",
                                                  printable(subject_digest, 100))));
    }
    Descriptor entry{
        .media_type = content.manifest ? content.manifest->media_type : content.index->media_type,
        .digest = digest,
        .size = json.size(),
        .platform = {},
        .annotations =
            content.manifest ? content.manifest->annotations : content.index->annotations,
        .artifact_type = {}};
    KNARR_TRY(document.root().optional("artifactType", entry.artifact_type));
    if (entry.artifact_type.empty() && content.manifest) {
        entry.artifact_type = content.manifest->config.media_type;
    }
    return std::optional(Referral{.subject = std::move(subject_digest), .entry = std::move(entry)});
}

std::string referrers_tag(std::string_view subject) {
    constexpr std::size_t kMaxAlgorithm = 32, kMaxEncoded = 64;
    const std::size_t colon = subject.find(':');
    std::string tag(subject.substr(0, std::min(colon, kMaxAlgorithm)));
    if (colon != std::string_view::npos) {
        tag += '-';
        tag += subject.substr(colon + 1, kMaxEncoded);
    }
    std::ranges::replace_if(tag, [](char c) { return c == '+' || c == '='; }, '-');
    return tag;
}

Result<std::optional<std::string>> add_referrer(std::string_view list,
                                                std::string_view media_type,
                                                const Descriptor& entry) {
    const std::string fresh =
        fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[]}})", media::kOciIndex);
    if (list.empty()) {
        list = fresh;
    } else {
        KNARR_TRY(expect_list(list, media_type));
    }
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(list, kList));
    if (has(document.root(), entry.digest)) {
        return std::optional<std::string>();
    }
    return std::optional(
        KNARR_TRY(rewrite(document.root(), [](const JsonValue&) { return true; }, &entry)));
}

Result<std::optional<std::string>> remove_referrer(std::string_view list,
                                                   std::string_view media_type,
                                                   const Digest& gone) {
    KNARR_TRY(expect_list(list, media_type));
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(list, kList));
    if (!has(document.root(), gone)) {
        return std::optional<std::string>();
    }
    return std::optional(KNARR_TRY(rewrite(
        document.root(), [&](const JsonValue& entry) { return !is_of(entry, gone); }, nullptr)));
}

}  // namespace knarr::spec
