#include "tools/shell_words.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace agentd::tools {
namespace {

// Substitutions in substitutions; nobody writes more, and each level is a stack frame.
constexpr int deepest_nesting = 16;

bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool ends_word(char c)
{
    return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' || c == '>' ||
        c == '(' || c == ')';
}

bool is_number(std::string_view word)
{
    return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

// NAME=, NAME+= or NAME[...]= at the head of `word`.
bool is_assignment(std::string_view word)
{
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const auto end = word.find_first_not_of(letters);
    if (end == 0 || end == std::string_view::npos || (word[0] >= '0' && word[0] <= '9'))
        return false;
    auto rest = word.substr(end);
    if (rest.starts_with('[') && rest.find(']') != std::string_view::npos)
        rest.remove_prefix(rest.find(']') + 1);
    return rest.starts_with('=') || rest.starts_with("+=");
}

// Words after which the next one is a command's name again.
bool is_reserved(std::string_view word)
{
    constexpr std::array<std::string_view, 14> words{"if", "then", "else", "elif", "fi", "do",
        "done", "while", "until", "!", "{", "}", "coproc", "esac"};
    return std::ranges::find(words, word) != words.end();
}

// One pass over the text; a nested substitution is a nested call of list().
class shell_reader {
public:
    shell_reader(std::string_view text, int depth, std::vector<simple_command>& out)
        : text_(text), depth_(depth), out_(out)
    {}

    // Commands up to an unmatched `)` (taken, too) or the end of the text.
    void list();
    // Everything, whatever is unmatched.
    void all()
    {
        while (!at_end())
            list();
    }

private:
    struct heredoc {
        std::string delimiter;
        bool tabs = false; // <<-
    };
    // What is being gathered until the next separator.
    struct segment {
        simple_command command;
        bool pattern = false; // between `case X in` or `;;` and `)`: no command
    };

    [[nodiscard]] bool at_end() const { return pos_ >= text_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const
    {
        return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0';
    }
    [[nodiscard]] bool looking_at(std::string_view what) const
    {
        return text_.substr(std::min(pos_, text_.size())).starts_with(what);
    }
    void finish(segment& current);
    bool separator(segment& current, int& open);
    bool redirection(segment& current);
    void argument(segment& current);
    void skip_heredocs();
    std::string word();
    void in_double_quotes(std::string& word);
    void ansi_c_quotes(std::string& word);
    bool substitution(std::string& word);
    void backticks(std::string& word);
    void array_value();
    [[nodiscard]] std::size_t arithmetic_length() const;

    std::string_view text_;
    std::size_t pos_ = 0;
    int depth_;
    bool quoted_ = false; // the last word() had quotes: it is no number, no reserved word
    std::vector<heredoc> pending_;
    std::vector<simple_command>& out_;
};

void shell_reader::list()
{
    segment current;
    int open = 0; // subshells of this list
    while (!at_end()) {
        const char c = peek();
        if (is_blank(c))
            ++pos_;
        else if (looking_at("\\\n"))
            pos_ += 2;
        else if (c == '#')
            pos_ = std::min(text_.find('\n', pos_), text_.size());
        else if (redirection(current))
            continue;
        else if (c == '\n' || c == ';' || c == '&' || c == '|' || c == '(' || c == ')') {
            if (!separator(current, open))
                return;
        } else
            argument(current);
    }
    finish(current);
}

// A word of the current command, unless it is only grammar.
void shell_reader::argument(segment& current)
{
    const auto start = pos_;
    std::string next = word();
    if (pos_ == start) { // `<(` nested too deep: never stand still
        ++pos_;
        return;
    }
    auto& words = current.command.words;
    if (words.empty() && !current.pattern && is_assignment(next)) {
        if (peek() == '(' && next.ends_with('=') && depth_ < deepest_nesting)
            array_value();
        return;
    }
    if (words.empty() && !quoted_ && is_reserved(next)) {
        current.pattern = false; // esac
        return;
    }
    if (words.empty() && !quoted_ && next == "case")
        current.pattern = true;
    words.push_back(std::move(next));
}

void shell_reader::finish(segment& current)
{
    auto done = std::exchange(current.command, {});
    if (!current.pattern && (!done.words.empty() || !done.writes_to.empty()))
        out_.push_back(std::move(done));
}

// Takes the separator at hand; false when it ends this list.
bool shell_reader::separator(segment& current, int& open)
{
    const char c = peek();
    ++pos_;
    if (c == ')' && current.pattern) { // the end of a pattern of `case`
        current = {};
        return true;
    }
    const auto more = [this] { return peek() == ';' || peek() == '&'; };
    const bool next_pattern = c == ';' && more(); // ;; ;& ;;&
    while (next_pattern && more())
        ++pos_;
    finish(current);
    if (c == ';' || c == '&')
        current.pattern = next_pattern;
    if (c == '\n')
        skip_heredocs();
    if (c == '(' && !current.pattern)
        ++open;
    return c != ')' || open-- > 0;
}

// Takes a redirection, if there is one here: [N]op TARGET.
bool shell_reader::redirection(segment& current)
{
    constexpr std::array<std::string_view, 12> operators{
        "&>>", "<<<", "<<-", "&>", ">>", ">|", ">&", "<>", "<<", "<&", ">", "<"};
    std::size_t digits = 0;
    while (peek(digits) >= '0' && peek(digits) <= '9')
        ++digits;
    const auto here = text_.substr(pos_ + digits);
    const auto op = std::ranges::find_if(
        operators, [here](std::string_view candidate) { return here.starts_with(candidate); });
    const bool process = here.starts_with("<(") || here.starts_with(">(");
    if (op == operators.end() || process || (digits != 0 && here.starts_with('&')))
        return false;
    pos_ += digits + op->size();
    while (!at_end() && (is_blank(peek()) || looking_at("\\\n")))
        pos_ += is_blank(peek()) ? 1 : 2;
    std::string target = word();
    if (*op == "<<" || *op == "<<-")
        pending_.push_back({std::move(target), *op == "<<-"});
    else if (*op == ">&" && (is_number(target) || target == "-"))
        return true; // a copy of a descriptor
    else if (op->find('>') != std::string_view::npos)
        current.command.writes_to.push_back(std::move(target));
    return true;
}

// After a line end: the bodies of here-documents are text.
void shell_reader::skip_heredocs()
{
    for (const auto& each : std::exchange(pending_, {})) {
        while (!at_end()) {
            const auto end = std::min(text_.find('\n', pos_), text_.size());
            auto line = text_.substr(pos_, end - pos_);
            pos_ = std::min(end + 1, text_.size());
            while (each.tabs && line.starts_with('\t'))
                line.remove_prefix(1);
            if (line == each.delimiter)
                break;
        }
    }
}

// One word with its quotes taken off; substitutions stand as "$()" in it.
std::string shell_reader::word()
{
    std::string out;
    std::size_t braces = 0; // inside ${...} nothing ends the word
    quoted_ = false;
    while (!at_end()) {
        const char c = peek();
        if (substitution(out))
            continue;
        if (braces == 0 && ends_word(c))
            break;
        ++pos_;
        if (c == '\\') {
            quoted_ = quoted_ || peek() != '\n';
            if (!at_end() && peek() != '\n')
                out.push_back(peek());
            ++pos_;
        } else if (c == '\'') {
            const auto end = std::min(text_.find('\'', pos_), text_.size());
            out.append(text_.substr(pos_, end - pos_));
            pos_ = end + 1;
            quoted_ = true;
        } else if (c == '"') {
            in_double_quotes(out);
        } else if (c == '$' && peek() == '\'') {
            ansi_c_quotes(out);
        } else if (c == '$' && peek() == '"') {
            continue; // "..." follows
        } else {
            braces += c == '$' && peek() == '{' ? 1 : 0;
            braces -= c == '}' && braces > 0 ? 1 : 0;
            out.push_back(c);
        }
    }
    pos_ = std::min(pos_, text_.size());
    return out;
}

// After the opening quote, up to and with the closing one.
void shell_reader::in_double_quotes(std::string& word)
{
    quoted_ = true;
    while (!at_end()) {
        const char c = peek();
        if (substitution(word))
            continue;
        ++pos_;
        if (c == '"')
            return;
        if (c == '\\' && std::string_view{"$`\"\\\n"}.find(peek()) != std::string_view::npos) {
            if (peek() != '\n')
                word.push_back(peek());
            ++pos_;
            continue;
        }
        word.push_back(c);
    }
}

// After `$`: '...' in which a backslash keeps a quote from ending it.
void shell_reader::ansi_c_quotes(std::string& word)
{
    quoted_ = true;
    ++pos_;
    while (!at_end() && peek() != '\'') {
        if (peek() == '\\')
            ++pos_;
        if (!at_end())
            word.push_back(peek());
        ++pos_;
    }
    ++pos_;
}

// Takes $(...), `...`, <(...), >(...) or $((...)) if one begins here.
bool shell_reader::substitution(std::string& word)
{
    if (peek() == '`') {
        backticks(word);
        return true;
    }
    const bool dollar = looking_at("$(");
    const bool process = (looking_at("<(") || looking_at(">(")) && !quoted_;
    if ((!dollar && !process) || depth_ >= deepest_nesting)
        return false;
    const auto skip = arithmetic_length();
    word.append("$()");
    if (dollar && skip != 0) {
        pos_ += skip;
        return true;
    }
    shell_reader inside{text_.substr(pos_ + 2), depth_ + 1, out_};
    inside.list();
    pos_ += 2 + inside.pos_;
    return true;
}

// The length of $((...)) here, 0 if it is a substitution whose first command is a subshell.
std::size_t shell_reader::arithmetic_length() const
{
    if (!looking_at("$(("))
        return 0;
    int open = 0;
    for (std::size_t i = pos_ + 1; i < text_.size(); ++i) {
        open += text_[i] == '(' ? 1 : 0;
        open -= text_[i] == ')' ? 1 : 0;
        if (open == 0)
            return text_[i - 1] == ')' ? i + 1 - pos_ : 0;
    }
    return 0;
}

// `...`: its text, without one level of backslashes, is a script of its own.
void shell_reader::backticks(std::string& word)
{
    std::string script;
    ++pos_;
    while (!at_end() && peek() != '`') {
        if (peek() == '\\' && (peek(1) == '`' || peek(1) == '\\' || peek(1) == '$'))
            ++pos_;
        script.push_back(peek());
        ++pos_;
    }
    ++pos_;
    word.append("$()");
    if (depth_ < deepest_nesting)
        shell_reader{script, depth_ + 1, out_}.all();
}

// NAME=( ... ): values, not commands.
void shell_reader::array_value()
{
    std::vector<simple_command> ignored;
    shell_reader inside{text_.substr(pos_ + 1), deepest_nesting, ignored};
    inside.list();
    pos_ += 1 + inside.pos_;
}

} // namespace

std::vector<simple_command> simple_commands(std::string_view text)
{
    std::vector<simple_command> out;
    shell_reader{text, 0, out}.all();
    return out;
}

std::string_view base_name(std::string_view path)
{
    return path.substr(path.rfind('/') + 1); // npos + 1 == 0
}

} // namespace agentd::tools
