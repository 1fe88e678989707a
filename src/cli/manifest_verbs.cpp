// docker's `manifest inspect`: what a registry has under a name, without pulling it.

#include <array>

#include "cli/docker_verbs.h"
#include "cli/indented_json.h"
#include "cli/pull_options.h"
#include "core/text.h"
#include "knarr/engine.h"
#include "spec/json_writer.h"
#include "spec/registry.h"

namespace knarr::cli {

namespace {

constexpr auto kInspectOptions = with_registry_options(std::array{
    Option{.name = "insecure", .help = "docker's word for --tls-verify=false"},
    Option{.name = "verbose",
           .letter = 'v',
           .help = "what it is of, and all manifests of a list, in docker's shape"},
});

/// docker's ImageManifest.
std::string variant_json(const RemoteVariant& variant) {
    spec::JsonWriter json;
    json.begin_object().member("Ref", variant.reference).key("Descriptor").begin_object();
    json.member("mediaType", variant.media_type).member("digest", variant.digest);
    json.member("size", variant.text.size());
    if (!variant.architecture.empty() || !variant.os.empty()) {
        json.key("platform").begin_object().member("architecture", variant.architecture);
        json.member("os", variant.os);
        if (!variant.os_version.empty()) {
            json.member("os.version", variant.os_version);
        }
        if (!variant.os_features.empty()) {
            json.member("os.features", variant.os_features);
        }
        if (!variant.variant.empty()) {
            json.member("variant", variant.variant);
        }
        json.end_object();
    }
    json.end_object().member("Raw", spec::encode_base64(variant.text)).end_object();
    std::string text = std::move(json).text();
    text.pop_back();  // the manifest goes in as it is
    const bool is_dockers = variant.media_type.starts_with("application/vnd.docker.");
    return fmt::format(
        "{},\"{}\":{}}}", text, is_dockers ? "SchemaV2Manifest" : "OCIManifest", variant.text);
}

/// Each for itself: what is indented is larger than what came.
Result<> print_variants(const RemoteManifest& found) {
    const std::size_t depth = found.is_list ? 1 : 0;
    std::string_view before = found.is_list ? "[\n\t" : "";
    for (const RemoteVariant& variant : found.variants) {
        const std::string json = spec::without_controls(variant_json(variant));
        KNARR_TRY(print(before));
        KNARR_TRY(print(indented_json(json, "\t", depth)));
        before = ",\n\t";
    }
    return print(!found.is_list ? "\n" : found.variants.empty() ? "[]\n" : "\n]\n");
}

Result<int> run_inspect(Context& context, const Parsed& args) {
    RemoteRequest request{.name = std::string(KNARR_TRY(one_argument(args, "IMAGE"))),
                          .options = KNARR_TRY(parse_pull_options(args))};
    request.notice = [&](const std::string& text) { context.reporter.warn(text); };
    if (args.flag("insecure")) {
        request.options.tls_verify = false;
    }
    const bool verbose = args.flag("verbose");
    auto found = Engine::inspect_manifest(
        request, verbose ? RemoteDetail::variants : RemoteDetail::text_only);
    if (!found && found.error().code == Errc::image_not_found) {
        context.failure_status = 1;  // docker's
    }
    const RemoteManifest manifest = KNARR_TRY(std::move(found));
    // docker's own steps: it writes lists anew, and everything else in Go's usual way.
    if (verbose) {
        KNARR_TRY(print_variants(manifest));
    } else {
        const std::string_view step = manifest.is_list ? "   " : "\t";
        KNARR_TRY(print(indented_json(spec::without_controls(manifest.text), step) + "\n"));
    }
    return 0;
}

constexpr Verb kManifestInspect{
    .name = "inspect",
    .synopsis = "[options] [docker://]HOST/NAME[:TAG|@DIGEST]",
    .summary = "print the manifest, or list of manifests, that a registry has under a name",
    .about =
        "Asks the registry, and stores nothing. The JSON is the registry's, indented as docker\n"
        "does. --verbose prints docker's shape of the manifest with its digest and platform, of a\n"
        "list that of each manifest in it.",
    .example = "knarr manifest inspect -v busybox:1.36",
    .options = kInspectOptions,
    .run = run_inspect,
};
constexpr std::array kManifestVerbs{&kManifestInspect};

}  // namespace

constexpr Verb kManifest{
    .name = "manifest",
    .synopsis = "VERB [options] IMAGE",
    .summary = "what a registry has under a name, without pulling it: manifest inspect",
    .about =
        "Holds docker's manifest inspect. Lists of images are not put together here; `knarr\n"
        "push` sends a stored one whole.",
    .example = "knarr manifest inspect busybox:1.36",
    .inner = kManifestVerbs,
};

}  // namespace knarr::cli
