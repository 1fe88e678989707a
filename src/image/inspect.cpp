// One image in the shape of `docker image inspect`. Source: Docker Engine API, ImageInspect.
#include <algorithm>

#include "core/core.h"
#include "image/find.h"
#include "image/image_list.h"
#include "image/platform.h"
#include "layer/stored.h"
#include "spec/json_writer.h"
#include "spec/wasm.h"

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
    if (config.healthcheck) {
        const spec::ImageHealthcheck& check = *config.healthcheck;
        json.key("Healthcheck").begin_object().member("Test", check.test);
        for (const auto& [name, number] : {std::pair("Interval", check.interval),
                                           std::pair("Timeout", check.timeout),
                                           std::pair("StartPeriod", check.start_period),
                                           std::pair("StartInterval", check.start_interval),
                                           std::pair("Retries", check.retries)}) {
            if (number != 0) {
                json.member(name, number);
            }
        }
        json.end_object();
    }
    json.end_object();
}

/// The form in which its layers are kept; empty where they are not unpacked.
std::string driver_of(const store::Store& store, const Image& image) {
    const auto info = image.chain.empty()
                          ? Result<layer::LayerInfo>(fail(Errc::image_not_found, "no layer"))
                          : layer::read_layer_info(store, image.chain.back());
    return info ? std::string(layer::name_of(info->driver)) : std::string();
}

}  // namespace

Result<std::string> inspect_image(const store::Store& store, std::string_view text) {
    const Image image = KNARR_TRY(find_image(store, text));
    ImageSummary shown;
    std::string last_tag_time;
    for (ImageSummary& summary : KNARR_TRY(list_images(store))) {
        if (summary.digest == image.digest.text()) {
            shown = std::move(summary);
        }
    }
    for (const std::string& reference : shown.references) {
        if (const auto ref = KNARR_TRY(store.get_ref(reference))) {
            last_tag_time = std::max(last_tag_time, ref->pulled_time);
        }
    }
    const spec::ImageConfig& config = image.config;
    spec::JsonWriter json;
    json.begin_object();
    json.member("Id", image.id.text());
    json.member("RepoTags", shown.repo_tags).member("RepoDigests", shown.repo_digests);
    json.member("Parent", "");
    json.member("Comment", config.history.empty() ? "" : config.history.back().comment);
    json.member("Created", config.created);
    json.member("DockerVersion", "").member("Author", config.author);
    write_run_config(json, config.config);
    json.member("Architecture", config.platform.architecture);
    if (!config.platform.variant.empty()) {
        json.member("Variant", config.platform.variant);
    }
    json.member("Os", config.platform.os).member("Size", shown.size);
    json.member("VirtualSize", shown.size);  // which was another one when images had parents
    // Nothing of its places: they are the store's own business.
    json.key("GraphDriver").begin_object().key("Data").null();
    json.member("Name", driver_of(store, image)).end_object();
    json.key("RootFS").begin_object().member("Type", "layers").key("Layers").begin_array();
    for (const spec::Digest& diff_id : config.diff_ids) {
        json.value(diff_id.text());
    }
    json.end_array().end_object();
    if (spec::is_wasm(image.manifest)) {
        json.key("Wasm").begin_object().member("ConfigType", image.manifest.config.media_type);
        json.key("Modules").begin_array();
        for (const spec::Descriptor& module : image.manifest.layers) {
            json.begin_object().member("MediaType", module.media_type);
            json.member("Digest", module.digest.text()).member("Size", module.size).end_object();
        }
        json.end_array().end_object();
    }
    json.key("Metadata").begin_object().member("LastTagTime", last_tag_time);
    json.end_object().end_object();
    return std::move(json).text();
}

}  // namespace knarr::image
