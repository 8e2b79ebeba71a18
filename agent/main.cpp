// The executable: everything is behind the command line.
#include "agent/commands/command_line.h"

// libcurl and libpq bring GnuTLS with their LDAP, which nothing here uses: TLS is OpenSSL's. GnuTLS would set itself up
// when it is loaded, which costs a megabyte of memory; it asks this function first (GNUTLS_SKIP_GLOBAL_INIT). libldap
// sets it up itself where it wants it.
extern "C" int _gnutls_global_init_skip();  // NOLINT(bugprone-reserved-identifier): GnuTLS' name
int _gnutls_global_init_skip() { return 1; }

int main(int argc, char** argv) { return pipewarden::agent::RunCommandLine(argc, argv); }
