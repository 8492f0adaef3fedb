// placeholder
#include "obol/obol.hpp"
int main() {}
