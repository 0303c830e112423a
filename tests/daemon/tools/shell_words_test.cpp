// Tables for taking a shell command apart.
#include "tools/shell_words.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using agentd::tools::simple_commands;

namespace {

// "ls|-l > out ; pwd": words joined by |, targets after >, commands by " ; ".
std::string taken_apart(std::string_view text)
{
    std::string out;
    for (const auto& each : simple_commands(text)) {
        out += out.empty() ? "" : " ; ";
        std::string words;
        for (const auto& word : each.words)
            words += (words.empty() ? "" : "|") + word;
        out += words;
        for (const auto& target : each.writes_to)
            out += (words.empty() ? "> " : " > ") + target;
    }
    return out;
}

struct words_row {
    std::string_view text;
    std::string_view parts;
};

} // namespace

TEST_CASE("shell_words: separators end a simple command")
{
    const std::vector<words_row> table{
        {"ls -l", "ls|-l"},
        {"a;b && c || d | e & f\ng", "a ; b ; c ; d ; e ; f ; g"},
        {"(a; b) | { c; }", "a ; b ; c"},
        {"a |& b", "a ; b"},
        {"", ""},
        {"  \t\n ;; ", ""},
        {"a # b; c\nd", "a ; d"},
        {"a#b c", "a#b|c"},
        {"a \\\n b", "a|b"},
    };
    for (const auto& [text, parts] : table)
        CHECK_MESSAGE(taken_apart(text) == parts, text);
}

TEST_CASE("shell_words: quotes make one word and go away")
{
    const std::vector<words_row> table{
        {"echo 'a;b' \"c && d\"", "echo|a;b|c && d"},
        {"s'u'd\"o\" x", "sudo|x"},
        {"\\sudo x", "sudo|x"},
        {"$'sudo' x", "sudo|x"},
        {"echo \"a \\\" b\" '\\'", "echo|a \" b|\\"},
        {"echo '' \"\"", "echo||"},
        {"echo 'open", "echo|open"},
        {"echo \"open", "echo|open"},
        {"echo ${x:-a b;c} d", "echo|${x:-a b;c}|d"},
    };
    for (const auto& [text, parts] : table)
        CHECK_MESSAGE(taken_apart(text) == parts, text);
}

TEST_CASE("shell_words: redirections are no words, and those that write are told")
{
    const std::vector<words_row> table{
        {"a >x", "a > x"},
        {"a > x >> y 2> z", "a > x > y > z"},
        {"a &>x", "a > x"},
        {"a &>> x", "a > x"},
        {"a >| x <> y", "a > x > y"},
        {"a 2>&1", "a"},
        {"a >&2", "a"},
        {"a >& x", "a > x"},
        {"a < x", "a"},
        {"a <<< x", "a"},
        {">x", "> x"},
        {"a >'b c'", "a > b c"},
        {"a22>x", "a22 > x"},
        {"a > ; b", "a >  ; b"},
    };
    for (const auto& [text, parts] : table)
        CHECK_MESSAGE(taken_apart(text) == parts, text);
}

TEST_CASE("shell_words: what is inside substitutions is commands, too")
{
    const std::vector<words_row> table{
        {"echo $(a b) c", "a|b ; echo|$()|c"},
        {"echo \"x $(a; b) y\"", "a ; b ; echo|x $() y"},
        {"echo `a b`", "a|b ; echo|$()"},
        {"echo `a \\`b\\``", "b ; a|$() ; echo|$()"},
        {"diff <(a) <(b)", "a ; b ; diff|$()|$()"},
        {"echo '$(a)'", "echo|$(a)"},
        {"echo $((1 > 2)) x", "echo|$()|x"},
        {"echo $((a) | b)", "a ; b ; echo|$()"},
        {"echo $(echo $(a))", "a ; echo|$() ; echo|$()"},
        {"x=$(a) b", "a ; b"},
        {"echo $(a", "a ; echo|$()"},
    };
    for (const auto& [text, parts] : table)
        CHECK_MESSAGE(taken_apart(text) == parts, text);
}

TEST_CASE("shell_words: grammar around a command is no part of it")
{
    const std::vector<words_row> table{
        {"A=1 B='x y' a b", "a|b"},
        {"A=1", ""},
        {"x=(a b) c", "c"},
        {"x[1]=2 a", "a"},
        {"if a; then b; else c; fi", "a ; b ; c"},
        {"while ! a; do b; done", "a ; b"},
        {"for x in a b; do c; done", "for|x|in|a|b ; c"},
        {"case x in a) b;; c|d) e;; esac; f", "b ; e ; f"},
        {"case x in\n(a) b ;&\nc) d ;;\nesac", "b ; d"},
        {"echo $(case x in a) b;; esac) c", "b ; echo|$()|c"},
        {"f() { a; }", "f ; a"},
        {"echo A=1 if", "echo|A=1|if"},
        {"a ) b", "a ; b"},
    };
    for (const auto& [text, parts] : table)
        CHECK_MESSAGE(taken_apart(text) == parts, text);
}

TEST_CASE("shell_words: the body of a here-document is text")
{
    CHECK(taken_apart("cat <<EOF > x\nsudo a; $(b)\nEOF\nc") == "cat > x ; c");
    CHECK(taken_apart("cat <<-'E O'\n\tsudo\n\tE O\nc") == "cat ; c");
    CHECK(taken_apart("cat <<A <<B\n1\nA\n2\nB\nc") == "cat ; c");
    CHECK(taken_apart("cat <<EOF\nnever ended") == "cat");
}

TEST_CASE("shell_words: hostile nesting takes linear time and no deep stack")
{
    const auto repeated = [](std::string_view piece, std::size_t times) {
        std::string all;
        for (std::size_t i = 0; i < times; ++i)
            all += piece;
        return all;
    };
    const auto begin = std::chrono::steady_clock::now();
    for (const auto* piece : {"$(", "$((", "`", "\"$(", "<(", "${", "(", ")", "case x in ", "$((a)",
             "x=(", "<<A\n", "\\", "'", "$'", ">", "a;"})
        static_cast<void>(simple_commands(repeated(piece, 40'000)));
    // For a hang, not for measuring: quadratic work would take minutes.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{30});
}
