// One image in the shape of `docker image inspect`. Source: Docker Engine API, ImageInspect.
#include "core/core.h"
#include "image/image_list.h"
#include "image/platform.h"
#include "image/reference.h"
#include "spec/json_writer.h"

namespace knarr::image {
namespace {

/// A set of names as docker writes one: {"80/tcp": {}}; null when there is none.
void write_set(spec::JsonWriter& json,
               std::string_view name,
               const std::vector<std::string>& keys) {
    json.key(name);
    if (keys.empty()) {
        json.null();
        return;
    }
    json.begin_object();
    for (const std::string& key : keys) {
        json.key(key).begin_object().end_object();
    }
    json.end_object();
}

void write_list(spec::JsonWriter& json,
                std::string_view name,
                const std::vector<std::string>& values) {
    if (values.empty()) {
        json.key(name).null();
    } else {
        json.member(name, values);
    }
}

void write_run_config(spec::JsonWriter& json, const spec::ImageRunConfig& config) {
    json.key("Config").begin_object();
    json.member("Hostname", "").member("Domainname", "").member("User", config.user);
    json.member("AttachStdin", false).member("AttachStdout", false).member("AttachStderr", false);
    write_set(json, "ExposedPorts", config.exposed_ports);
    json.member("Tty", false).member("OpenStdin", false).member("StdinOnce", false);
    write_list(json, "Env", config.env);
    write_list(json, "Cmd", config.cmd);
    json.member("Image", "");
    write_set(json, "Volumes", config.volumes);
    json.member("WorkingDir", config.working_dir);
    write_list(json, "Entrypoint", config.entrypoint);
    json.key("OnBuild").null();
    if (config.labels.empty()) {
        json.key("Labels").null();
    } else {
        json.member("Labels", config.labels);
    }
    if (!config.stop_signal.empty()) {
        json.member("StopSignal", config.stop_signal);
    }
    json.end_object();
}

/// Its tags and "NAME@DIGEST" of what each was pulled as.
void write_names(spec::JsonWriter& json, const std::vector<store::Ref>& refs) {
    std::vector<std::string> tags;
    std::set<std::string> digests;
    for (const store::Ref& ref : refs) {
        const auto reference = Reference::parse(ref.reference);
        if (!reference) {
            continue;
        }
        if (!reference->tag().empty() && !reference->digest()) {
            tags.push_back(reference->familiar());
        }
        digests.insert(fmt::format("{}@{}", reference->familiar_name(), ref.digest.text()));
    }
    json.member("RepoTags", tags);
    json.member("RepoDigests", std::vector<std::string>(digests.begin(), digests.end()));
}

}  // namespace

Result<std::string> inspect_image(const store::Store& store, std::string_view text) {
    const Image image = KNARR_TRY(find_image(store, text));
    std::uint64_t size = 0;
    std::vector<store::Ref> names;
    for (const ImageSummary& summary : KNARR_TRY(list_images(store))) {
        if (summary.digest != image.digest.text()) {
            continue;
        }
        size = summary.size;
        for (const std::string& reference : summary.references) {
            if (auto ref = KNARR_TRY(store.get_ref(reference))) {
                names.push_back(*std::move(ref));
            }
        }
    }
    const spec::ImageConfig& config = image.config;
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object();
    json.member("Id", image.id.text());
    write_names(json, names);
    json.member("Parent", "");
    json.member("Comment", config.history.empty() ? "" : config.history.back().comment);
    json.member("Created", config.created);
    json.member("DockerVersion", "").member("Author", config.author);
    write_run_config(json, config.config);
    json.member("Architecture", config.platform.architecture);
    if (!config.platform.variant.empty()) {
        json.member("Variant", config.platform.variant);
    }
    json.member("Os", config.platform.os).member("Size", size);
    json.key("RootFS").begin_object().member("Type", "layers").key("Layers").begin_array();
    for (const spec::Digest& diff_id : config.diff_ids) {
        json.value(diff_id.text());
    }
    json.end_array().end_object();
    json.key("Metadata")
        .begin_object()
        .member("LastTagTime", names.empty() ? "" : names.front().pulled_time);
    json.end_object().end_object();
    return std::move(json).text();
}

}  // namespace knarr::image
