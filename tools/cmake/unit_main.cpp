#define BOOST_TEST_MODULE plumb
#include <boost/test/unit_test.hpp>
