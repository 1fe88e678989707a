// The verbs inside `image` that ask registries: tags, referrers, delete.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/pull_options.h"
#include "cli/table.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr Option kJsonOption{.name = "json", .help = "print JSON"};

constexpr auto kTagsOptions = with_registry_options(std::array{kJsonOption});

void show_notice(const std::string& text) {
    print_error(printable(text, 1024) + "\n");
}

Result<RemoteRequest> remote_request(const Parsed& args) {
    return RemoteRequest{.name = std::string(KNARR_TRY(one_argument(args, "IMAGE"))),
                         .artifact_type = std::string(args.get("artifact-type")),
                         .options = KNARR_TRY(parse_pull_options(args)),
                         .notice = show_notice};
}

Result<int> run_tags(Context&, const Parsed& args) {
    const RemoteRequest request = KNARR_TRY(remote_request(args));
    const RemoteTags found = KNARR_TRY(Engine::list_tags(request));
    std::string text;
    if (args.flag("json")) {
        spec::JsonWriter json(spec::JsonLayout::indented);
        json.begin_object().member("Repository", found.repository).member("Tags", found.tags);
        text = std::move(json.end_object()).text() + "\n";
    } else {
        for (const std::string& tag : found.tags) {
            text += printable(tag) + "\n";
        }
    }
    KNARR_TRY(print(text));
    return 0;
}

constexpr auto kReferrersOptions = with_registry_options(std::array{
    kJsonOption,
    Option{.name = "artifact-type", .value = "TYPE", .help = "only those of this type"},
});

std::string referrers_json(const RemoteReferrers& found) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().member("subject", found.subject).key("manifests").begin_array();
    for (const Referrer& one : found.referrers) {
        json.begin_object();
        json.member("reference", found.repository + "@" + one.digest);
        json.member("mediaType", one.media_type).member("digest", one.digest);
        json.member("size", one.size).member("artifactType", one.artifact_type);
        json.member("annotations", one.annotations).end_object();
    }
    json.end_array().end_object();
    return std::move(json).text() + "\n";
}

Result<int> run_referrers(Context&, const Parsed& args) {
    const RemoteRequest request = KNARR_TRY(remote_request(args));
    const RemoteReferrers found = KNARR_TRY(Engine::list_referrers(request));
    if (args.flag("json")) {
        KNARR_TRY(print(referrers_json(found)));
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"DIGEST", "ARTIFACT TYPE", "SIZE"}};
    for (const Referrer& one : found.referrers) {
        rows.push_back({one.digest,
                        one.artifact_type.empty() ? "<none>" : one.artifact_type,
                        decimal_size(one.size)});
    }
    KNARR_TRY(print(format_table(rows)));
    return 0;
}

constexpr auto kDeleteOptions = with_registry_options(std::array{kJsonOption});

Result<int> run_remote_delete(Context&, const Parsed& args) {
    const RemoteRequest request = KNARR_TRY(remote_request(args));
    if (!request.name.starts_with("docker://")) {
        return fail(
            Error{.code = Errc::invalid_argument,
                  .message = fmt::format("\"{}\" does not say that it is in a registry",
                                         printable(request.name)),
                  .hint = fmt::format("in the registry: knarr image delete docker://{0}; in "
                                      "the store: knarr rmi {0}",
                                      printable(request.name))});
    }
    const RemoteImage gone = KNARR_TRY(Engine::delete_remote(request));
    if (args.flag("json")) {
        spec::JsonWriter json(spec::JsonLayout::indented);
        json.begin_object().member("Repository", gone.repository).member("Digest", gone.digest);
        KNARR_TRY(print(std::move(json.end_object()).text() + "\n"));
        return 0;
    }
    KNARR_TRY(print(fmt::format("Deleted: {}@{}\n", gone.repository, gone.digest)));
    return 0;
}

}  // namespace

constexpr Verb kImageTags{
    .name = "tags",
    .synopsis = "[options] [docker://]HOST/NAME",
    .summary = "list the tags of a repository in a registry",
    .about =
        "Asks the registry for all tags, page by page. --json prints what skopeo list-tags prints.",
    .example = "knarr image tags --json registry.example/team/app",
    .options = kTagsOptions,
    .run = run_tags,
};

constexpr Verb kImageReferrers{
    .name = "referrers",
    .synopsis = "[options] [docker://]HOST/NAME[:TAG|@DIGEST]",
    .summary = "list what refers to an image in a registry: signatures, SBOMs, ...",
    .about =
        "Asks the registry for the manifests that have the image as their subject; where it does\n"
        "not have that API, for the tag sha256-DIGEST that stands in for it.",
    .example = "knarr image referrers --artifact-type application/spdx+json registry.example/app:1",
    .options = kReferrersOptions,
    .run = run_referrers,
};

constexpr Verb kImageDelete{
    .name = "delete",
    .synopsis = "[options] docker://HOST/NAME[:TAG|@DIGEST]",
    .summary = "delete an image from a registry",
    .about =
        "Deletes the manifest that the name means, and with it every tag that it has. The "
        "registry\n"
        "must allow it. One that refers to another (a signature, an SBOM) is taken out of the "
        "list\n"
        "of that one's referrers, too. Images in the store are removed by `knarr rmi`.",
    .example = "knarr image delete docker://registry.example/team/app:1.0",
    .options = kDeleteOptions,
    .run = run_remote_delete,
};

}  // namespace knarr::cli
