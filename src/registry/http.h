#pragma once
// HTTP as this room sees it: many requests at once on one thread, heads and bodies handed to a
// sink. The only user of libcurl. Redirects, logins and retries are not curl's business.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knarr/result.h"
#include "platform/socket.h"
#include "registry/url.h"

namespace knarr::registry {

/// Whom to trust, and as whom to appear. Outlives the requests that point to it.
struct Tls {
    std::string authorities = {};  ///< PEM, all of them; empty: the system's
    std::string client_certificate = {}, client_key = {};  ///< PEM; may be empty
    bool verify = true;
};

/// Whose certificates to trust when `extra_ca_pem` is trusted besides the system's ($SSL_CERT_FILE
/// or Debian's): all in one text. Empty where libcurl reads the system's file itself.
Result<std::string> trusted_authorities(const std::string& extra_ca_pem);

/// Bytes of a file that are sent as the body. The file outlives the exchange.
struct HttpBody {
    const sys::Fd* file = nullptr;  ///< null: an empty body
    std::uint64_t offset = 0, bytes = 0;
};

struct HttpRequest {
    Url url;
    std::vector<std::string> headers = {};  ///< "Name: value"
    std::optional<std::string> form = {};   ///< POST with this body instead of GET
    std::string method = "GET";
    std::optional<HttpBody> body = {};
    const Tls* tls = nullptr;  ///< null: what the system trusts
};

struct HttpHead {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields = {};  ///< names in lower case
    /// The first field of that name; empty when there is none.
    std::string_view field(std::string_view name) const;
};

/// How an exchange ended.
enum class HttpEnd : std::uint8_t {
    complete,    ///< the body is whole
    no_connect,  ///< no address, no connection
    bad_tls,     ///< the certificate was refused; trying again does not help
    no_tls,      ///< there was no handshake, as where nobody speaks TLS; likewise
    broken,      ///< the connection ended early
    stopped,     ///< a sink said stop
    failed,      ///< anything else; trying again does not help
};

/// Receives one exchange. Called from HttpClient::run only; never after on_end.
class HttpSink {
public:
    enum class Take : std::uint8_t {
        taken,
        later,  ///< give me the same bytes again after HttpExchange::resume
        stop,
    };
    virtual ~HttpSink() = default;
    /// False stops the exchange.
    virtual bool on_head(const HttpHead& head) = 0;
    virtual Take on_body(std::string_view bytes) = 0;
    virtual void on_end(HttpEnd end, std::string_view detail) = 0;
    /// So many bytes of the request's body went out since the last call.
    virtual void on_sent(std::uint64_t) {}
};

/// One running exchange; ends it silently when destroyed.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
    virtual void resume() = 0;
};

class HttpClient {
public:
    static Result<std::unique_ptr<HttpClient>> create();
    virtual ~HttpClient() = default;

    /// Starts an exchange. The sink must outlive the returned value.
    virtual Result<std::unique_ptr<HttpExchange>> start(const HttpRequest& request,
                                                        HttpSink& sink) = 0;
    /// Moves every exchange as far as it goes without waiting.
    virtual Result<> run() = 0;
    /// Waits for the network, for one of `items`, or for the timeout.
    virtual Result<> wait(std::span<sys::Ready> items, std::chrono::milliseconds timeout) = 0;
};

}  // namespace knarr::registry
