// Tables for what is refused and what is not.
#include "tools/error.hpp"
#include "tools/policy.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using agentd::tools::errc;
using agentd::tools::policy;

namespace {

constexpr const char* refused_by_default[] = {
    "rm -rf /",
    "rm -fr /",
    "rm -r -f /",
    "rm -rf -- /",
    "rm -rf --no-preserve-root /",
    "rm --recursive --force /",
    "rm --recurs -f /",
    "rm -Rf /",
    "rm / -rf",
    "rm -rf //",
    "rm -rf /.",
    "rm -rf /tmp/..",
    "rm -rf /*",
    "rm -rf a /",
    "rm -rf \"/\"",
    "rm -rf '/'",
    "/bin/rm -rf /",
    "\\rm -rf /",
    "cd x && rm -rf /",
    "true; rm -rf /",
    "(rm -rf /)",
    "{ rm -rf /; }",
    "if true; then rm -rf /; fi",
    "! rm -rf /",
    "A=1 rm -rf /",
    "echo $(rm -rf /)",
    "echo `rm -rf /`",
    "echo \"$(rm -rf /)\"",
    "rm -rf / 2>/dev/null",
    "env rm -rf /",
    "nohup rm -rf / &",
    "sh -c 'rm -rf /'",
    "bash -lc \"rm -rf /\"",
    "eval rm -rf /",
    "eval 'rm -rf' /",
    "echo x | xargs rm -rf /",
    "timeout 5 rm -rf /",
    "timeout -s KILL 5 rm -rf /",
    "nice -n 5 rm -rf /",
    "time rm -rf /",
    "rm \\\n-rf /",
    "cat <(rm -rf /)",
    "sh -c 'sh -c \"rm -rf /\"'",
    "exec rm -rf /",
    "sudo ls",
    "/usr/bin/sudo ls",
    "ls | sudo tee x",
    "su'do' ls",
    "\"sudo\" ls",
    "env -u A B=1 sudo ls",
    "sudo -u root ls",
    "sudo",
    "shutdown -h now",
    "/sbin/shutdown now",
    "reboot",
    "sleep 1; reboot -f",
    "command reboot",
    "echo x > /dev/sda",
    "echo x >/dev/sda",
    "echo x >> /dev/sda",
    "cat y >| /dev/mem",
    "> /dev/sda",
    "echo x &> /dev/sda",
    "echo x > //dev/sda",
    "echo x > /dev/null/../sda",
    "echo x 2>'/dev/sda'",
    "echo x > /dev/mapper/root",
    "exec 3<>/dev/sda",
};

constexpr const char* allowed_by_default[] = {
    "rm -rf /tmp/x",
    "rm -rf ./",
    "rm -rf *",
    "rm /",
    "rm -f /",
    "rm -rf -- -r tmp",
    "rm -rf build/",
    "echo rm -rf /",
    "echo 'rm -rf /'",
    "echo \"sudo\"",
    "echo sudo",
    "grep -r sudo .",
    "grep 'shutdown\\|reboot' log",
    "man sudo",
    "ls # sudo ls",
    "git commit -m 'sudo; reboot'",
    "cat <<EOF\nsudo ls\nrm -rf /\nEOF",
    "./sudo.sh",
    "sudoku",
    "which sudo",
    "for x in sudo reboot; do echo $x; done",
    "case $x in sudo) echo a;; reboot) echo b;; esac",
    "make 2> /dev/null",
    "make 2>/dev/null",
    "make >/dev/null 2>&1",
    "make &>/dev/null",
    "echo x > /dev/stderr",
    "echo x >/dev/stdout",
    "echo x > /dev/tty",
    "echo x >/dev/fd/3",
    "cat < /dev/sda",
    "ls /dev/sda",
    "echo '> /dev/sda'",
    "echo \\> /dev/sda",
    "echo x > dev/sda",
    "env",
    "env A=1",
    "sh x.sh sudo",
    "bash",
    "xargs",
    "",
};

policy of(const std::vector<std::string>& patterns)
{
    auto made = policy::from(patterns);
    REQUIRE_MESSAGE(made, made.error().text);
    return std::move(*made);
}

} // namespace

TEST_CASE("policy: by default what the reference refuses is refused, however it is written")
{
    const policy standard;
    for (const auto* command : refused_by_default)
        CHECK_MESSAGE(!standard.allows(command), command);
}

TEST_CASE("policy: what only looks like it is allowed")
{
    const policy standard;
    for (const auto* command : allowed_by_default)
        CHECK_MESSAGE(standard.allows(command), command);
}

TEST_CASE("policy: a configured list takes the place of the default one")
{
    const auto own = of({"git push"});
    CHECK_FALSE(own.allows("git push"));
    CHECK_FALSE(own.allows("git -C x push origin main"));
    CHECK(own.allows("git pull"));
    CHECK(own.allows("sudo ls"));
    CHECK(of({}).allows("rm -rf /"));
}

TEST_CASE("policy: short flags match in whatever spelling, long ones abbreviated and with values")
{
    const auto own = of({"git push -f|--force", "tool -ab", "find -delete", "curl --output"});
    for (const auto* refused : {"git push -f", "git push --force", "git push --forc",
             "git push -vf", "tool -ab", "tool -ba", "tool -a -b", "tool -xa y -bz",
             "find . -delete", "curl --output=x", "curl --output x"})
        CHECK_MESSAGE(!own.allows(refused), refused);
    for (const auto* allowed : {"git push", "git push -v", "tool -a", "tool -a -- -b",
             "find . -name delete", "curl --output-dir x", "curl -O"})
        CHECK_MESSAGE(own.allows(allowed), allowed);
}

TEST_CASE("policy: globs match names, arguments and targets, also for any command")
{
    const auto own = of({"mkfs*", "* /etc/shadow", "docker run|exec", "cat >/etc/*", "/opt/bin/x"});
    for (const auto* refused : {"mkfs.ext4 x", "/sbin/mkfs -t y", "cat /etc/shadow",
             "cp /etc//shadow x", "docker exec -it a", "cat a > /etc/passwd", "/opt/bin/x"})
        CHECK_MESSAGE(!own.allows(refused), refused);
    for (const auto* allowed :
        {"docker ps", "echo a > /etc/passwd", "cat /etc/shadow-", "x", "/usr/bin/x"})
        CHECK_MESSAGE(own.allows(allowed), allowed);
}

TEST_CASE("policy: an exception allows what a pattern refuses")
{
    const auto own = of({"sudo", "!sudo -l", ">/data/*", "!> /data/tmp/*"});
    CHECK(own.allows("sudo -l"));
    CHECK_FALSE(own.allows("sudo ls"));
    CHECK_FALSE(own.allows("sudo -l; sudo ls"));
    CHECK(own.allows("echo x > /data/tmp/y"));
    CHECK_FALSE(own.allows("echo x > /data/tmp/y > /data/z"));
}

TEST_CASE("policy: a pattern that means nothing is an error that names it")
{
    for (const auto* pattern :
        {"", "  ", "!", ">", "-f", "sudo -", "sudo --", "a||b", "a |b", "|"}) {
        const auto made = policy::from(std::vector<std::string>{"sudo", pattern});
        REQUIRE_MESSAGE(!made, pattern);
        CHECK(made.error().is(errc::bad_pattern));
        CHECK(made.error().text.starts_with("policy pattern"));
    }
}

TEST_CASE("policy: the documented default is the default")
{
    std::vector<std::string> copied;
    for (const auto pattern : policy::defaults())
        copied.emplace_back(pattern);
    CHECK_FALSE(of(copied).allows("rm -rf /"));
    CHECK(of(copied).allows("ls 2>/dev/null"));
}
