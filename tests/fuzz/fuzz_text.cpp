// Any bytes as the small texts that users, registries, tars and knarr-pull hand over. What is taken
// is put into its usual form, and that form means the same.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/text.h"
#include "image/reference.h"
#include "layer/info.h"
#include "layer/path.h"
#include "layer/tar_number.h"
#include "registry/challenge.h"
#include "registry/url.h"
#include "rpc/transfer.h"

namespace {

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void names(std::string_view text) {
    using knarr::image::Reference;
    if (const auto reference = Reference::parse(text)) {
        const auto again = Reference::parse(reference->text());
        check(again && again->text() == reference->text());
        // Short names drop the tag beside a digest: only the place must be the same.
        const auto short_name = Reference::parse(reference->familiar());
        check(short_name && short_name->name() == reference->name());
        const auto only_name = Reference::parse(reference->familiar_name());
        check(only_name && only_name->name() == reference->name());
    }
    if (const auto url = knarr::registry::parse_url(text)) {
        const auto again = knarr::registry::parse_url(url->text());
        check(again && again->text() == url->text() && url->rest.starts_with('/'));
        check(url->host.find_first_of("/@ \r\n") == std::string::npos);
        if (const auto next = knarr::registry::follow(*url, text)) {
            check(next->scheme == "https" || url->scheme == "http");
        }
    }
    static_cast<void>(knarr::registry::parse_challenges(text));
}

void numbers(std::string_view text) {
    if (const auto number = knarr::parse_number(text)) {
        check(!text.starts_with('-') && !text.starts_with('+'));
    }
    if (const auto size = knarr::parse_size(text, "size")) {
        check(*size >= 0);
    }
    static_cast<void>(knarr::layer::parse_tar_number(text));
    if (const auto time = knarr::layer::parse_pax_time(text)) {
        check(time->nanoseconds < 1'000'000'000);
    }
    for (const char c : knarr::printable(text)) {
        check(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    names(text);
    numbers(text);
    static_cast<void>(knarr::layer::decode_info(text));
    if (const auto request = knarr::rpc::decode_request(text)) {
        check(static_cast<bool>(knarr::rpc::decode_request(knarr::rpc::encode(*request))));
    }
    if (const auto event = knarr::rpc::decode_event(text)) {
        check(static_cast<bool>(knarr::rpc::decode_event(knarr::rpc::encode(*event))));
    }
    return 0;
}
