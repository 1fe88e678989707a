#include "registry/challenge.h"

#include <algorithm>

#include "core/ascii.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kBlank = " \t";

/// RFC 9110 "tchar", and '/' and '.' that some servers leave unquoted.
bool is_token(char c) {
    return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~/:").find(c) != std::string_view::npos;
}

class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}
    bool at_end() const { return rest_.empty(); }
    char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    void skip_one() { rest_.remove_prefix(rest_.empty() ? 0 : 1); }
    void skip(std::string_view set) {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(set), rest_.size()));
    }
    std::string token() {
        const auto end = std::ranges::find_if_not(rest_, is_token);
        std::string result(rest_.begin(), end);
        rest_.remove_prefix(result.size());
        return result;
    }
    std::string quoted() {
        std::string result;
        skip_one();
        while (!at_end() && peek() != '"') {
            if (peek() == '\\') {
                skip_one();
            }
            result.push_back(peek());
            skip_one();
        }
        skip_one();
        return result;
    }

private:
    std::string_view rest_;
};

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view field) {
    std::vector<Challenge> result;
    Scanner scan(field);
    while (!scan.at_end()) {
        scan.skip(" \t,");
        const std::string word = scan.token();
        if (word.empty()) {
            scan.skip_one();  // nothing that the grammar knows
            continue;
        }
        scan.skip(kBlank);
        if (scan.peek() != '=' || result.empty()) {
            result.push_back({.scheme = to_lower(word)});
            continue;
        }
        scan.skip("=");  // more than one: a token68, which has no name that we ask for
        scan.skip(kBlank);
        std::string value = scan.peek() == '"' ? scan.quoted() : scan.token();
        result.back().parameters.emplace(to_lower(word), std::move(value));
    }
    return result;
}

}  // namespace knarr::registry
