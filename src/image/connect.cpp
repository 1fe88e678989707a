#include "image/connect.h"

#include "core/core.h"
#include "platform/file.h"

namespace knarr::image {
namespace {

/// knarr-pull alone as a source, to wait for.
class Waiting final : public Source {
public:
    explicit Waiting(PullProcess& process) : process_(process) {}
    Result<std::unique_ptr<ByteStream>> open_top() override { return none(); }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor&) override {
        return none();
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor&) override {
        return none();
    }
    std::optional<spec::Digest> top_digest() const override { return std::nullopt; }
    std::string stored_name() const override { return {}; }
    int poll_fd() const override { return process_.poll_fd(); }
    Result<> pump() override { return process_.pump(); }

private:
    static Result<std::unique_ptr<ByteStream>> none() {
        return fail(Errc::internal, "there is nothing to open");
    }
    PullProcess& process_;
};

std::string scope_of(const Reference& reference,
                     Purpose purpose,
                     const std::vector<std::string>& mount_from) {
    if (purpose == Purpose::pull || purpose == Purpose::login) {
        return {};  // what the registry asks for
    }
    std::string scope = fmt::format("repository:{}:{}",
                                    reference.repository(),
                                    purpose == Purpose::push ? "pull,push" : "pull,delete");
    for (const std::string& other : mount_from) {
        scope += fmt::format(" repository:{}:pull", other);
    }
    return scope;
}

}  // namespace

Result<std::unique_ptr<PullProcess>> connect(const Reference& reference,
                                             const Credentials& credentials,
                                             const PullOptions& options,
                                             Purpose purpose,
                                             PullProcess::NoticeFn notice,
                                             const std::vector<std::string>& mount_from) {
    Place place;
    if (!options.tls_ca_file.empty()) {
        place.authorities = KNARR_TRY(sys::read_file(options.tls_ca_file, rpc::kMaxTrustBytes),
                                      "read --tls-ca {}",
                                      options.tls_ca_file);
        if (place.authorities.find("-----BEGIN") == std::string::npos) {
            return fail(Error{.code = Errc::invalid_argument,
                              .message = fmt::format("--tls-ca {}: there is no certificate in it",
                                                     printable(options.tls_ca_file)),
                              .hint = "give a PEM file with -----BEGIN CERTIFICATE-----"});
        }
    }
    place.session = {.registry = reference.host(),
                     .repository = purpose == Purpose::login ? "" : reference.repository(),
                     .scope = scope_of(reference, purpose, mount_from),
                     .username = credentials.username,
                     .password = credentials.password,
                     .identity_token = credentials.identity_token,
                     .plain_http = options.plain_http,
                     .stall_seconds = options.stall_seconds != 0
                                          ? options.stall_seconds
                                          : static_cast<std::uint32_t>(limits::kPullTimeoutSeconds),
                     .retries = options.retries};
    std::vector<Place> places;
    places.push_back(std::move(place));
    return PullProcess::start(places, std::move(notice));
}

Result<> wait_for(PullProcess& process, const PullOptions& options) {
    Waiting source(process);
    KNARR_TRY(wait_for_news(source, {}, options));
    return {};
}

Result<Document> fetch_document(PullProcess& process,
                                rpc::FetchKind kind,
                                const std::string& target,
                                std::size_t max,
                                const PullOptions& options) {
    const auto stream = KNARR_TRY(process.fetch(kind, target, max, 0));
    Waiting source(process);
    std::string text = KNARR_TRY(read_whole(source, *stream, max, options));
    return Document{.text = std::move(text),
                    .media_type = stream->media_type(),
                    .next_page = stream->next_page()};
}

Result<> ask_whether_good(const Reference& place,
                          const Credentials& credentials,
                          const PullOptions& options,
                          PullProcess::NoticeFn notice) {
    const auto process =
        KNARR_TRY(connect(place, credentials, options, Purpose::login, std::move(notice)));
    KNARR_TRY(
        fetch_document(*process, rpc::FetchKind::ping, "", limits::kMaxHttpBodyBytes, options));
    return {};
}

}  // namespace knarr::image
