// Any bytes as the files that say where and as whom to ask a registry, and as what registries and
// helper programs answer. What is taken can be used, and a login that was put into a file is found.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "image/credentials.h"
#include "image/hosts_toml.h"
#include "image/registries_conf.h"
#include "image/short_names.h"
#include "registry/upload.h"
#include "registry/url.h"
#include "spec/referrers.h"
#include "spec/registry.h"
#include "spec/toml.h"

namespace {

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void settings(std::string_view text) {
    namespace image = knarr::image;
    static_cast<void>(knarr::spec::parse_toml(text, "f"));
    static_cast<void>(image::parse_hosts(text, "f", "r.io"));
    image::ShortNames names;
    if (image::add_short_names(names, text, "f")) {
        static_cast<void>(image::meanings("busybox:1", names, image::Wanted::fetched));
    }
    const auto entries = image::parse_registries(text, "f");
    if (!entries) {
        return;
    }
    for (const char* name : {"r.io/a/b:1", "busybox", "x.r.io/a"}) {
        const auto reference = image::Reference::parse(name);
        const image::RegistryEntry* entry = image::find_registry(*entries, *reference);
        if (entry == nullptr) {
            continue;
        }
        if (const auto places = image::rewrite(*entry, *reference, true)) {
            check(!places->empty());
            for (const image::RewrittenPlace& place : *places) {
                check(!place.registry.empty() && place.repository.find("..") == std::string::npos);
            }
        }
    }
}

void logins(std::string_view text) {
    const knarr::spec::RegistryAuth login{.username = "me", .password = "pw", .identity_token = {}};
    if (const auto edited = knarr::spec::edit_credentials(text, "r.io", &login)) {
        const auto again = knarr::spec::decode_credentials(*edited);
        check(again && again->auths.at("r.io").password == "pw");
        const auto gone = knarr::spec::edit_credentials(*edited, "r.io", nullptr);
        check(gone && !knarr::spec::decode_credentials(*gone)->auths.contains("r.io"));
    }
    static_cast<void>(knarr::spec::decode_helper_login(text));
    static_cast<void>(knarr::spec::decode_tags(text));
    if (const auto place = knarr::image::login_place(text)) {
        check(!knarr::image::login_keys(*place).empty());
    }
}

/// A document that may have a subject, and a list that a registry has under the subject's tag: what
/// was added is in the list, and once removed it is not.
void referrers(std::string_view text) {
    namespace spec = knarr::spec;
    const spec::Digest digest = spec::Digest::of_sha256(std::string(64, 'a'));
    const auto referral = spec::referral_of(text, digest);
    spec::Descriptor entry{.media_type = std::string(spec::media::kOciManifest),
                           .digest = digest,
                           .size = 1,
                           .platform = {},
                           .annotations = {},
                           .artifact_type = "a/b"};
    if (referral && *referral) {
        check(!spec::referrers_tag((*referral)->subject).empty());
        entry = (*referral)->entry;
        const auto first = spec::add_referrer("", "", entry);
        check(first && *first && !*spec::add_referrer(**first, spec::media::kOciIndex, entry));
    }
    const auto added = spec::add_referrer(text, spec::media::kOciIndex, entry);
    if (!added) {
        return;
    }
    const std::string list = *added ? **added : std::string(text);
    const auto again = spec::add_referrer(list, spec::media::kOciIndex, entry);
    check(again && !*again);
    const auto gone = spec::remove_referrer(list, spec::media::kOciIndex, digest);
    check(gone && *gone);
    const auto left = spec::remove_referrer(**gone, spec::media::kOciIndex, digest);
    check(left && !*left);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    settings(text);
    logins(text);
    referrers(text);
    static_cast<void>(knarr::registry::next_link(text));
    static_cast<void>(knarr::registry::parse_upload_range(text));
    return 0;
}
