#include "cli/template_parse.h"

#include <optional>
#include <utility>

#include "core/ascii.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr unsigned kMaxDepth = 32;
constexpr std::string_view kBlanks = " \t\r\n";

enum class Kind : std::uint8_t { word, members, variable, text, number, mark, end };
struct Token {
    Kind kind = Kind::end;
    std::string text;
    bool touches = false;  // what stands before it
};

Error wrong(std::string_view action, std::string_view why) {
    return fail(Error{
                    .code = Errc::invalid_argument,
                    .message = fmt::format("--format: {{{{{}}}}}: {}", printable(action, 120), why),
                    .hint = "as Go's templates: {{.Member.Member}}, {{json .Member}}, "
                            "{{range .List}}...{{end}}, {{if ...}}"})
        .error();
}

bool is_name(char c) {
    return is_alnum(c) || c == '_';
}

/// The words of one action.
class Words {
public:
    explicit Words(std::string_view action) : action_(action), left_(action) {}
    Result<std::vector<Token>> read();

private:
    Result<Token> next();
    Result<std::string> quoted();
    std::string_view take(std::size_t count) {
        const std::string_view taken = left_.substr(0, count);
        left_.remove_prefix(count);
        return taken;
    }
    std::string_view take_while(std::string_view further) {
        std::size_t count = 0;
        while (count < left_.size() &&
               (is_name(left_[count]) || further.find(left_[count]) != std::string_view::npos)) {
            ++count;
        }
        return take(count);
    }

    std::string_view action_, left_;
};

/// A string as Go writes it; ` has no escapes.
Result<std::string> Words::quoted() {
    const char quote = take(1).front();
    std::string out;
    while (!left_.empty() && left_.front() != quote) {
        const char c = take(1).front();
        if (c != '\\' || quote == '`' || left_.empty()) {
            out += c;
            continue;
        }
        const char escaped = take(1).front();
        out += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
    }
    if (left_.empty()) {
        return fail(wrong(action_, "a text does not end"));
    }
    take(1);
    return out;
}

Result<Token> Words::next() {
    const char c = left_.front();
    if (c == '"' || c == '`' || c == '\'') {
        return Token{.kind = Kind::text, .text = KNARR_TRY(quoted())};
    }
    if (c == '.') {
        return Token{.kind = Kind::members, .text = std::string(take_while("."))};
    }
    if (c == '$') {
        take(1);
        return Token{.kind = Kind::variable, .text = std::string(take_while("."))};
    }
    if ((c >= '0' && c <= '9') || (c == '-' && left_.size() > 1 && is_name(left_[1]))) {
        std::string digits(take(1));
        digits += take_while(".");
        return Token{.kind = Kind::number, .text = std::move(digits)};
    }
    if (is_name(c)) {
        return Token{.kind = Kind::word, .text = std::string(take_while(""))};
    }
    if (left_.starts_with(":=")) {
        return Token{.kind = Kind::mark, .text = std::string(take(2))};
    }
    if (std::string_view("()|,=").find(c) != std::string_view::npos) {
        return Token{.kind = Kind::mark, .text = std::string(take(1))};
    }
    return fail(wrong(action_, fmt::format("\"{}\" is not understood", printable(left_, 20))));
}

Result<std::vector<Token>> Words::read() {
    std::vector<Token> tokens;
    while (true) {
        const std::size_t blanks = std::min(left_.find_first_not_of(kBlanks), left_.size());
        take(blanks);
        if (left_.empty()) {
            tokens.push_back({});
            return tokens;
        }
        tokens.push_back(KNARR_TRY(next()));
        tokens.back().touches = blanks == 0 && tokens.size() > 1;
    }
}

void add_members(std::vector<std::string>& members, std::string_view path) {
    for (const std::string_view name : split(path, '.')) {
        if (!name.empty()) {
            members.emplace_back(name);
        }
    }
}

/// What one action says, from its words.
class Action {
public:
    Action(std::string_view action, std::vector<Token> tokens)
        : action_(action), tokens_(std::move(tokens)) {}

    const Token& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    bool takes(Kind kind, std::string_view text) {
        const bool fits = peek().kind == kind && peek().text == text;
        at_ += fits ? 1 : 0;
        return fits;
    }
    Result<Pipeline> pipeline(unsigned depth);
    /// The name of a template, as a text.
    Result<std::string> name() {
        return peek().kind == Kind::text
                   ? Result<std::string>(tokens_[at_++].text)
                   : fail(wrong(action_, "a template's name in quotes is missing"));
    }
    bool at_end() const { return peek().kind == Kind::end; }
    Result<> end() const {
        return peek().kind == Kind::end
                   ? Result<>{}
                   : fail(
                         wrong(action_, fmt::format("\"{}\" is too much", printable(peek().text))));
    }

private:
    void read_variables(Pipeline& out);
    Result<TemplateCommand> command(unsigned depth);
    Result<std::optional<TemplateOperand>> operand(unsigned depth);

    std::string_view action_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

void Action::read_variables(Pipeline& out) {
    const auto is_mark = [&](std::size_t ahead, std::string_view text) {
        return peek(ahead).kind == Kind::mark && peek(ahead).text == text;
    };
    const std::size_t count = is_mark(1, ",") ? 2 : 1;
    const std::size_t mark = 2 * count - 1;
    if (peek().kind != Kind::variable || (!is_mark(mark, ":=") && !is_mark(mark, "="))) {
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        out.variables.push_back(peek(2 * i).text);
    }
    out.assigns = peek(mark).text == "=";
    at_ += mark + 1;
}

Result<Pipeline> Action::pipeline(unsigned depth) {
    if (depth > kMaxDepth) {
        return fail(wrong(action_, "it is nested too deeply"));
    }
    Pipeline out;
    read_variables(out);
    do {
        out.commands.push_back(KNARR_TRY(command(depth)));
    } while (takes(Kind::mark, "|"));
    return out;
}

Result<TemplateCommand> Action::command(unsigned depth) {
    TemplateCommand out;
    const bool constant = peek().text == "true" || peek().text == "false" || peek().text == "nil";
    if (peek().kind == Kind::word && !constant) {
        out.function = peek().text;
        ++at_;
    }
    while (auto one = KNARR_TRY(operand(depth))) {
        out.arguments.push_back(std::move(*one));
    }
    if (out.function.empty() && out.arguments.empty()) {
        return fail(wrong(action_, "a value is missing"));
    }
    if (out.function.empty() && out.arguments.size() > 1) {
        // A method: of docker's rows only {{.Label "name"}} has one.
        TemplateOperand& first = out.arguments.front();
        if (first.kind != TemplateOperand::Kind::dot || first.members.size() != 1) {
            return fail(wrong(action_, "a function's name is missing"));
        }
        out.function = "." + first.members.front();
        first.members.clear();
    }
    return out;
}

/// Nothing where the command ends.
Result<std::optional<TemplateOperand>> Action::operand(unsigned depth) {
    TemplateOperand out;
    const Token& token = peek();
    switch (token.kind) {
        case Kind::members:
            add_members(out.members, token.text);
            break;
        case Kind::variable: {
            const std::size_t dot = std::min(token.text.find('.'), token.text.size());
            out.kind = TemplateOperand::Kind::variable;
            out.text = token.text.substr(0, dot);
            add_members(out.members, std::string_view(token.text).substr(dot));
            break;
        }
        case Kind::text:
            out.kind = TemplateOperand::Kind::text;
            out.text = token.text;
            break;
        case Kind::number: {
            const bool minus = token.text.starts_with('-');
            const auto number =
                parse_number(std::string_view(token.text).substr(minus ? 1 : 0), INT64_MAX);
            if (!number) {
                return fail(wrong(action_, fmt::format("{} is no whole number", token.text)));
            }
            out.kind = TemplateOperand::Kind::number;
            out.number = static_cast<std::int64_t>(*number) * (minus ? -1 : 1);
            break;
        }
        case Kind::word:
            if (token.text != "true" && token.text != "false" && token.text != "nil") {
                return fail(wrong(action_,
                                  fmt::format("{} is no value: write ({} ...)",
                                              printable(token.text),
                                              printable(token.text))));
            }
            out.kind =
                token.text == "nil" ? TemplateOperand::Kind::nil : TemplateOperand::Kind::boolean;
            out.truth = token.text == "true";
            break;
        case Kind::mark:
            if (token.text != "(") {
                return std::nullopt;
            }
            ++at_;
            out.kind = TemplateOperand::Kind::inner;
            out.inner = std::make_shared<const Pipeline>(KNARR_TRY(pipeline(depth + 1)));
            if (peek().kind != Kind::mark || peek().text != ")") {
                return fail(wrong(action_, "a ) is missing"));
            }
            if (peek(1).kind == Kind::members && peek(1).touches) {
                ++at_;
                add_members(out.members, peek().text);
            }
            break;
        case Kind::end:
            return std::nullopt;
    }
    ++at_;
    return out;
}

/// The whole text.
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}
    Result<TemplateTree> all();

private:
    /// Why a list of nodes ended.
    enum class Stop : std::uint8_t { text, end, otherwise };
    Result<Stop> nodes(std::vector<TemplateNode>& out, unsigned depth);
    Result<TemplateNode> block(TemplateNode::Kind kind, Action action, unsigned depth);
    Result<TemplateNode> call(Action action, unsigned depth);
    Result<std::optional<TemplateNode>> jump(Action& action);
    Result<> named_body(const std::string& name, unsigned depth);
    Result<> define(Action action, unsigned depth);
    Result<bool> find_action(std::vector<TemplateNode>& out);
    Result<bool> next_action(std::vector<TemplateNode>& out);

    std::string_view text_, action_;
    std::optional<Action> words_;
    unsigned loops_ = 0;  // that we are in
    TemplateTree tree_;
};

/// Goes behind the next action, which is in action_; what stands before it is text. False: the end.
Result<bool> Parser::find_action(std::vector<TemplateNode>& out) {
    const std::size_t begin = text_.find("{{");
    std::string_view before = text_.substr(0, begin);
    std::size_t end = std::string_view::npos;
    if (begin != std::string_view::npos) {
        end = text_.find("}}", begin);
        if (end == std::string_view::npos) {
            return fail(Errc::invalid_argument, "--format: a {{{{ has no }}}}");
        }
        action_ = text_.substr(begin + 2, end - begin - 2);
        if (action_.size() > 1 && action_[0] == '-' &&
            kBlanks.find(action_[1]) != std::string_view::npos) {
            action_.remove_prefix(2);
            before = before.substr(0, before.find_last_not_of(kBlanks) + 1);
        }
    }
    if (!before.empty()) {
        TemplateNode& node = out.emplace_back();
        node.text = before;
    }
    if (begin == std::string_view::npos) {
        text_ = {};
        return false;
    }
    text_.remove_prefix(end + 2);
    if (action_.size() > 1 && action_.ends_with('-') &&
        kBlanks.find(action_[action_.size() - 2]) != std::string_view::npos) {
        action_.remove_suffix(2);
        text_.remove_prefix(std::min(text_.find_first_not_of(kBlanks), text_.size()));
    }
    return true;
}

/// The same without comments, and with its words in words_.
Result<bool> Parser::next_action(std::vector<TemplateNode>& out) {
    do {
        if (!KNARR_TRY(find_action(out))) {
            return false;
        }
    } while (action_.starts_with("/*"));
    words_.emplace(action_, KNARR_TRY(Words(action_).read()));
    return true;
}

Result<TemplateNode> Parser::block(TemplateNode::Kind kind, Action action, unsigned depth) {
    TemplateNode node;
    node.kind = kind;
    const std::string whole(action_);
    node.pipeline = KNARR_TRY(action.pipeline(depth));
    KNARR_TRY(action.end());
    loops_ += kind == TemplateNode::Kind::loop ? 1 : 0;
    Stop stop = KNARR_TRY(nodes(node.body, depth + 1));
    loops_ -= kind == TemplateNode::Kind::loop ? 1 : 0;
    if (stop == Stop::otherwise) {
        if (words_->takes(Kind::word, "if")) {
            node.otherwise.push_back(
                KNARR_TRY(block(TemplateNode::Kind::condition, *words_, depth + 1)));
            return node;  // whose end was that one's
        }
        stop = KNARR_TRY(nodes(node.otherwise, depth + 1));
    }
    if (stop != Stop::end) {
        return fail(wrong(whole, "its {{end}} is missing"));
    }
    return node;
}

/// {{template "name" value}}.
Result<TemplateNode> Parser::call(Action action, unsigned depth) {
    TemplateNode node;
    node.kind = TemplateNode::Kind::call;
    node.text = KNARR_TRY(action.name());
    if (!action.at_end()) {
        node.pipeline = KNARR_TRY(action.pipeline(depth));
    }
    KNARR_TRY(action.end());
    return node;
}

/// {{break}} and {{continue}}; nothing where the action is another.
Result<std::optional<TemplateNode>> Parser::jump(Action& action) {
    TemplateNode node;
    if (action.takes(Kind::word, "break")) {
        node.kind = TemplateNode::Kind::stop;
    } else if (action.takes(Kind::word, "continue")) {
        node.kind = TemplateNode::Kind::next;
    } else {
        return std::nullopt;
    }
    KNARR_TRY(action.end());
    if (loops_ == 0) {
        return fail(wrong(action_, "it is not within a range"));
    }
    return node;
}

Result<> Parser::named_body(const std::string& name, unsigned depth) {
    const std::string whole(action_);
    const unsigned outer = std::exchange(loops_, 0);
    std::vector<TemplateNode> body;
    if (KNARR_TRY(nodes(body, depth + 1)) != Stop::end) {
        return fail(wrong(whole, "its {{end}} is missing"));
    }
    loops_ = outer;
    tree_.named[name] = std::move(body);
    return {};
}

Result<> Parser::define(Action action, unsigned depth) {
    if (depth > 0) {
        return fail(wrong(action_, "it stands within another action"));
    }
    const std::string name = KNARR_TRY(action.name());
    KNARR_TRY(action.end());
    return named_body(name, depth);
}

Result<Parser::Stop> Parser::nodes(std::vector<TemplateNode>& out, unsigned depth) {
    if (depth > kMaxDepth) {
        return fail(wrong(action_, "it is nested too deeply"));
    }
    while (KNARR_TRY(next_action(out))) {
        Action action = *words_;
        if (action.takes(Kind::word, "end")) {
            return Stop::end;
        }
        if (words_->takes(Kind::word, "else")) {
            return Stop::otherwise;
        }
        if (action.takes(Kind::word, "define")) {
            KNARR_TRY(define(std::move(action), depth));
            continue;
        }
        const bool names = action.takes(Kind::word, "block");
        if (names || action.takes(Kind::word, "template")) {
            TemplateNode node = KNARR_TRY(call(std::move(action), depth));
            if (names && node.pipeline.commands.empty()) {
                return fail(wrong(action_, "a value is missing"));
            }
            if (names) {
                KNARR_TRY(named_body(node.text, depth));
            }
            out.push_back(std::move(node));
            continue;
        }
        if (auto node = KNARR_TRY(jump(action))) {
            out.push_back(std::move(*node));
            continue;
        }
        using NodeKind = TemplateNode::Kind;
        const NodeKind kind = action.takes(Kind::word, "if")      ? NodeKind::condition
                              : action.takes(Kind::word, "range") ? NodeKind::loop
                              : action.takes(Kind::word, "with")  ? NodeKind::with
                                                                  : NodeKind::print;
        if (kind != NodeKind::print) {
            out.push_back(KNARR_TRY(block(kind, std::move(action), depth)));
            continue;
        }
        TemplateNode node;
        node.kind = kind;
        node.pipeline = KNARR_TRY(action.pipeline(depth));
        KNARR_TRY(action.end());
        out.push_back(std::move(node));
    }
    return Stop::text;
}

Result<TemplateTree> Parser::all() {
    std::vector<TemplateNode> out;
    if (KNARR_TRY(nodes(out, 0)) != Stop::text) {
        return fail(wrong(action_, "there is nothing that it would end"));
    }
    tree_.nodes = std::move(out);
    return std::move(tree_);
}

}  // namespace

Result<TemplateTree> parse_template(std::string_view text) {
    return Parser(text).all();
}

}  // namespace knarr::cli
