// Linked into a plugin that then wants a function that nobody has.
extern "C" void plumb_test_no_such_function();
extern "C" __attribute__((used, retain, visibility("hidden"))) void plumb_test_call_it() {
  plumb_test_no_such_function();
}
