// The meta file of a layer, and the same text as the worker's result: "key value" lines. Paths of
// opaque directories are escaped, a name may hold a line feed.
#include "layer/info.h"

#include <cerrno>

#include "core/text.h"
#include "platform/file.h"

namespace knarr::layer {

namespace {

constexpr std::string_view kFirstLine = "knarr-layer 1";

std::string escape(std::string_view path) {
    std::string out;
    for (const char c : path) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\\') {
            out += "\\\\";
        } else {
            out += c;
        }
    }
    return out;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            ++i;
            out += text[i] == 'n' ? '\n' : text[i];
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

std::string encode_info(const LayerInfo& info, std::string_view diff_id) {
    std::string out =
        fmt::format("{}\ndiff_id {}\nbytes {}\nentries {}\nskipped_xattrs {}\ndriver {}\n",
                    kFirstLine,
                    diff_id,
                    info.bytes,
                    info.entries,
                    info.skipped_xattrs,
                    name_of(info.driver));
    for (const std::string& path : info.opaque) {
        out += fmt::format("opaque {}\n", escape(path));
    }
    return out;
}

Result<DecodedInfo> decode_info(std::string_view text) {
    DecodedInfo out;
    bool first = true;
    for (const std::string_view line : split(text, '\n')) {
        if (first) {
            if (line != kFirstLine) {
                return fail(Errc::corrupt, "a layer's meta file begins with another line");
            }
            first = false;
            continue;
        }
        if (line.empty()) {
            continue;
        }
        const std::size_t blank = line.find(' ');
        const std::string_view key = line.substr(0, blank);
        const std::string_view value =
            blank == std::string_view::npos ? std::string_view{} : line.substr(blank + 1);
        if (key == "diff_id") {
            out.diff_id = value;
        } else if (key == "driver") {
            const auto driver = parse_driver(value);
            if (!driver) {
                return fail(Errc::corrupt, "a layer of the unknown kind {}", printable(value));
            }
            out.info.driver = *driver;
        } else if (key == "opaque") {
            out.info.opaque.push_back(unescape(value));
        } else {
            const auto number = parse_number(value);
            if (!number) {
                return fail(Errc::corrupt, "a layer's meta file has a wrong {}", printable(key));
            }
            (key == "bytes"     ? out.info.bytes
             : key == "entries" ? out.info.entries
                                : out.info.skipped_xattrs) = *number;
        }
    }
    return out;
}

Result<LayerInfo> read_layer_info(const store::Store& store, const spec::Digest& chain_id) {
    const std::string path = fmt::format("{}/meta", chain_id.hex());
    auto text = sys::read_file_at(store.layers_dir(), path, kMaxInfoBytes);
    if (!text && text.error().sys_errno == ENOENT) {
        return fail(Errc::image_not_found, "layer {} is not unpacked", chain_id.text());
    }
    const std::string bytes = KNARR_TRY(std::move(text), "layer {}", chain_id.text());
    return KNARR_TRY(decode_info(bytes), "layer {}", chain_id.text()).info;
}

}  // namespace knarr::layer
