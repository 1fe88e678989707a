// The only file that knows the JSON library: text -> JsonTree.

#include <algorithm>
#include <array>

#include <rapidjson/error/error.h>
#include <rapidjson/reader.h>

#include "core/limits.h"
#include "core/text.h"
#include "spec/json_reader.h"
#include "spec/json_tree.h"
#include "spec/utf8.h"

namespace knarr::spec {

namespace {

/// Builds the tree from the events of the reader. A handler that returns false stops the reader.
class TreeBuilder {
public:
    /// `hex_escapes` says whether the document has any \u: only they can put NUL or half of a
    /// surrogate pair into a string, as the text itself is checked before.
    TreeBuilder(JsonTree& tree, bool hex_escapes)
        : tree_(tree), nodes_(tree.nodes), hex_escapes_(hex_escapes) {}

    std::string problem;  ///< why a handler returned false
    bool too_deep = false;

    // NOLINTBEGIN(readability-identifier-naming): the names that RapidJSON's reader calls
    bool Null() { return add(NodeKind::null, {}); }
    bool Bool(bool value) {
        JsonNode node{};
        node.boolean = value;
        return add(NodeKind::boolean, node);
    }
    bool Int(int value) { return Int64(value); }
    bool Uint(unsigned value) { return Uint64(value); }
    bool Int64(std::int64_t value) {
        JsonNode node{};
        if (value >= 0) {
            return Uint64(static_cast<std::uint64_t>(value));
        }
        node.negative = value;
        return add(NodeKind::negative, node);
    }
    bool Uint64(std::uint64_t value) {
        JsonNode node{};
        node.natural = value;
        return add(NodeKind::natural, node);
    }
    bool Double(double value) {
        JsonNode node{};
        node.real = value;
        return add(NodeKind::real, node);
    }
    bool RawNumber(const char*, rapidjson::SizeType, bool) { return false; }  // not asked for
    bool String(const char* text, rapidjson::SizeType length, bool) {
        if (hex_escapes_ && !is_sound({text, length})) {
            return false;
        }
        JsonNode node{};
        node.text = {static_cast<std::uint32_t>(text - tree_.buffer.get()), length};
        return add(NodeKind::string, node);
    }
    bool Key(const char* text, rapidjson::SizeType length, bool copy) {
        return String(text, length, copy);
    }
    bool StartObject() { return open(NodeKind::object); }
    bool StartArray() { return open(NodeKind::array); }
    bool EndObject(rapidjson::SizeType count) {
        const std::uint32_t object = close(count);
        return count < 2 || names_differ(object, count);
    }
    bool EndArray(rapidjson::SizeType count) {
        close(count);
        return true;
    }
    // NOLINTEND(readability-identifier-naming)

private:
    bool is_sound(std::string_view text) {
        if (text.find('\0') != std::string_view::npos) {
            problem = "a string contains NUL";
        } else if (invalid_utf8_at(text) != text.size()) {
            problem = "a string contains half of a surrogate pair";
        }
        return problem.empty();
    }
    bool add(NodeKind kind, JsonNode node) {
        node.kind = kind;
        node.end = static_cast<std::uint32_t>(nodes_.size() + 1);
        nodes_.push_back(node);
        return true;
    }
    bool open(NodeKind kind) {
        if (depth_ == open_.size()) {
            too_deep = true;
            return false;
        }
        open_[depth_++] = static_cast<std::uint32_t>(nodes_.size());
        return add(kind, {});
    }
    std::uint32_t close(rapidjson::SizeType count) {
        const std::uint32_t index = open_[--depth_];
        nodes_[index].children = count;
        nodes_[index].end = static_cast<std::uint32_t>(nodes_.size());
        return index;
    }

    bool names_differ(std::uint32_t object, std::size_t count) {
        constexpr std::size_t kFew = 24;
        std::array<std::string_view, kFew> few;
        std::vector<std::string_view> many(count > kFew ? count : 0);
        std::string_view* names = count > kFew ? many.data() : few.data();
        std::uint32_t at = object + 1;
        for (std::size_t i = 0; i < count; ++i) {
            names[i] = tree_.text(nodes_[at]);
            at = nodes_[at + 1].end;
        }
        const std::string_view* twice = nullptr;
        if (count > kFew) {
            std::sort(names, names + count);
            const auto* same = std::adjacent_find(names, names + count);
            twice = same == names + count ? nullptr : same;
        } else {
            for (std::size_t i = 1; i < count && twice == nullptr; ++i) {
                twice = std::find(names, names + i, names[i]) == names + i ? nullptr : names + i;
            }
        }
        if (twice != nullptr) {
            problem = fmt::format("the member \"{}\" is given twice", printable(*twice, 64));
        }
        return twice == nullptr;
    }

    JsonTree& tree_;
    std::vector<JsonNode>& nodes_;
    bool hex_escapes_;
    std::array<std::uint32_t, kMaxJsonDepth> open_{};  // the containers not yet closed
    std::size_t depth_ = 0;
};

std::string_view describe_syntax(rapidjson::ParseErrorCode code) {
    switch (code) {
        case rapidjson::kParseErrorDocumentEmpty:
            return "the document is empty";
        case rapidjson::kParseErrorDocumentRootNotSingular:
            return "something follows the end of the document";
        case rapidjson::kParseErrorObjectMissName:
            return "the name of a member is missing";
        case rapidjson::kParseErrorObjectMissColon:
            return "a colon is missing after the name of a member";
        case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
            return "a comma or } is missing after a member";
        case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
            return "a comma or ] is missing after an element";
        case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
        case rapidjson::kParseErrorStringEscapeInvalid:
            return "a string contains a malformed escape or a control character";
        case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
            return "a string contains half of a surrogate pair";
        case rapidjson::kParseErrorStringMissQuotationMark:
            return "a string has no end";
        case rapidjson::kParseErrorNumberTooBig:
            return "a number is too large";
        case rapidjson::kParseErrorNumberMissFraction:
        case rapidjson::kParseErrorNumberMissExponent:
            return "a number is not finished";
        default:
            return "this is not JSON";
    }
}

/// "NAME: line 3, column 14: text".
std::unexpected<Error> syntax_error(const JsonSource& source,
                                    std::string_view text,
                                    std::size_t offset,
                                    std::string_view problem) {
    const std::string_view before = text.substr(0, offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t last_break = before.rfind('\n');
    const std::size_t column =
        last_break == std::string_view::npos ? offset + 1 : offset - last_break;
    return fail(source.failure, "{}: line {}, column {}: {}", source.name, line, column, problem);
}

}  // namespace

Result<JsonDocument> JsonDocument::parse(std::string_view text, const JsonSource& source) {
    if (text.size() > source.max_bytes) {
        return fail(Errc::limit_exceeded,
                    "{}: {} bytes are more than the limit of {}",
                    source.name,
                    text.size(),
                    source.max_bytes);
    }
    if (const std::size_t bad = invalid_utf8_at(text); bad != text.size()) {
        return syntax_error(
            source, text, bad, text[bad] == '\0' ? "NUL is not JSON" : "this is not UTF-8");
    }
    auto tree = std::make_unique<JsonTree>();
    tree->name = source.name;
    tree->failure = source.failure;
    tree->values = source.values;
    tree->buffer = std::make_unique_for_overwrite<char[]>(text.size() + 1);
    std::copy(text.begin(), text.end(), tree->buffer.get());
    tree->buffer[text.size()] = '\0';  // ends the stream; the text itself has none

    // Eight bytes of text for a value is what compact configurations have.
    tree->nodes.reserve(text.size() / 8 + 8);
    TreeBuilder builder(*tree, text.find("\\u") != std::string_view::npos);
    rapidjson::InsituStringStream stream(tree->buffer.get());
    rapidjson::Reader reader;
    // The recursive parser: the builder stops it at kMaxJsonDepth, and unlike the iterative one it
    // needs no stack of the library's own, whose first use adds to a null pointer (seen by UBSan).
    const rapidjson::ParseResult parsed =
        reader.Parse<rapidjson::kParseInsituFlag>(stream, builder);
    if (builder.too_deep) {
        return fail(
            Errc::limit_exceeded, "{}: nested more than {} deep", source.name, kMaxJsonDepth);
    }
    if (parsed.IsError()) {
        const std::string_view problem =
            builder.problem.empty() ? describe_syntax(parsed.Code()) : builder.problem;
        return syntax_error(source, text, std::min(parsed.Offset(), text.size()), problem);
    }
    return JsonDocument(std::move(tree));
}

}  // namespace knarr::spec
