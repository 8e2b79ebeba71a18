// docs/configuration.md, written from the option tables that read the configuration, with a short introduction of each
// section. What is in the tables cannot be wrong on the page; the examples are checked by the tests.
#pragma once

#include <string>

namespace pipewarden::agent {

// The whole page, Markdown.
std::string ConfigurationPage();

}  // namespace pipewarden::agent
