// Drives src/image for the integration tests: one line of JSON per progress event and one for the
// result or the error, which `knarr pull` tells to people in other words.
// usage: pull_probe DATA_ROOT pull|find-or-pull|list|inspect|remove [NAME] [--option VALUE]...

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/core.h"
#include "image/find.h"
#include "image/image_list.h"
#include "image/pull.h"
#include "image/remove.h"
#include "spec/json_writer.h"

namespace {

using knarr::Result;
namespace image = knarr::image;
namespace spec = knarr::spec;

void print_line(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
}

void print_progress(const knarr::PullProgress& progress) {
    spec::JsonWriter json;
    json.begin_object().member("phase", knarr::name_of(progress.phase));
    json.member("layer", progress.layer).member("done", progress.done);
    json.member("total", progress.total).member("text", progress.text).end_object();
    print_line(json.text());
}

std::string describe_image(const image::Image& found) {
    spec::JsonWriter json;
    json.begin_object().member("reference", found.reference).member("id", found.id.text());
    json.member("digest", found.digest.text()).member("top", found.top.text());
    json.key("chain").begin_array();
    for (const spec::Digest& id : found.chain) {
        json.value(id.text());
    }
    json.end_array().end_object();
    return std::move(json).text();
}

struct Arguments {
    std::string root, verb, name, used_by;
    knarr::PullOptions options;
    knarr::Limits limits = knarr::kDefaultLimits;
};

Result<Arguments> parse(int argc, char** argv) {
    if (argc < 3) {
        return knarr::fail(knarr::Errc::invalid_argument, "usage: pull_probe ROOT VERB [NAME]");
    }
    Arguments result{.root = argv[1], .verb = argv[2], .name = {}, .used_by = {}, .options = {}};
    for (int i = 3; i < argc; ++i) {
        const std::string_view word = argv[i];
        const std::string value = i + 1 < argc ? argv[i + 1] : "";
        if (word == "--plain-http") {
            result.options.plain_http = true;
            continue;
        }
        if (!word.starts_with("--")) {
            result.name = word;
            continue;
        }
        ++i;
        const auto number = static_cast<std::uint32_t>(knarr::parse_number(value).value_or(0));
        if (word == "--tls-ca") {
            result.options.tls_ca_file = value;
        } else if (word == "--authfile") {
            result.options.auth_file = value;
        } else if (word == "--platform") {
            result.options.platform = value;
        } else if (word == "--stall") {
            result.options.stall_timeout = std::chrono::seconds(number);
        } else if (word == "--retries") {
            result.options.retries = number;
        } else if (word == "--driver") {
            result.options.snapshot_driver = value;
        } else if (word == "--used-by") {
            result.used_by = value;
        } else {
            return knarr::fail(knarr::Errc::invalid_argument, "unknown option {}", word);
        }
    }
    return result;
}

Result<std::string> list(const knarr::store::Store& store) {
    spec::JsonWriter json;
    json.begin_array();
    for (const knarr::ImageSummary& summary : KNARR_TRY(image::list_images(store))) {
        json.begin_object().member("id", summary.id).member("digest", summary.digest);
        json.member("references", summary.references).member("platform", summary.platform);
        json.member("size", summary.size).end_object();
    }
    json.end_array();
    return std::move(json).text();
}

Result<std::string> remove(const knarr::store::Store& store, const Arguments& arguments) {
    image::ImageUse use;
    if (!arguments.used_by.empty()) {
        use.users = [&](const image::Image&) { return std::vector{arguments.used_by}; };
    }
    const auto removed = KNARR_TRY(image::remove_image(store, arguments.name, use));
    spec::JsonWriter json;
    json.begin_object().member("untagged", removed.untagged);
    json.member("deleted", removed.deleted).end_object();
    return std::move(json).text();
}

Result<std::string> run(int argc, char** argv) {
    const Arguments arguments = KNARR_TRY(parse(argc, argv));
    const auto store = KNARR_TRY(knarr::store::Store::open(arguments.root));
    if (arguments.verb == "pull" || arguments.verb == "find-or-pull") {
        const auto bring = arguments.verb == "pull" ? image::pull_image : image::find_or_pull;
        const knarr::store::Lease lease = KNARR_TRY(store.lease());
        return describe_image(KNARR_TRY(bring(
            store, lease, arguments.name, arguments.options, arguments.limits, print_progress)));
    }
    if (arguments.verb == "list") {
        return list(store);
    }
    if (arguments.verb == "inspect") {
        return image::inspect_image(store, arguments.name);
    }
    return remove(store, arguments);
}

}  // namespace

int main(int argc, char** argv) {
    const auto result = run(argc, argv);
    spec::JsonWriter json;
    if (result) {
        print_line(*result);
        return 0;
    }
    const knarr::Error& error = result.error();
    json.begin_object().member("error", knarr::describe(error.code).name);
    json.member("message", error.message).member("hint", error.effective_hint()).end_object();
    print_line(json.text());
    return knarr::describe(error.code).exit_status;
}
