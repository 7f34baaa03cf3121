/* Declarations in all shapes, and what only looks like one. gcc compiles it. */
#include <stddef.h>
#define MADE 41
#define DECLARE(type, name) type name = 1
#define BRACES { 1, 2 }
#define __used __attribute__((used))
typedef unsigned int u32;
typedef struct rev { char name[8]; int n[2]; struct { u32 u; } sub; } rev_t;

int plain = 3;
static const int negative = -3, hexadecimal = 0x1F, octal = 017, *pointer = 0, third = 7;
unsigned int suffixed = 42u;
static const char sized[16] = "sized text";
const char open[] = "open text, of course";
const char *const text = "pointer";
char attribute[] __attribute__((aligned(16))) = "with an attribute";
char attribute_macro[] __used = "with a macro's attribute";
__attribute__((used)) static int leading_attribute = 5;
int assembler asm("renamed") = 6;
rev_t structure = { "abc", { 1, 2 }, .sub = { .u = 3 } };
static struct { int a; char b[4]; } anonymous = { .a = 1, .b = "xyz" }, another = { 2 };
struct tag { int inner; } tagged = { 4 };
enum color { RED = 1, GREEN, BLUE = 0x10, LAST = BLUE + 1, } favourite = BLUE;
enum { NAMELESS = -5 };
int list[] = { 1, [4] = 5, 6 }, matrix[2][2] = { { 1, 2 }, { 3 } };
const char *names[] = { "one", "two" "more", [3] = "four" };
int expression = 1 + 2, cast = (int)3, in_parentheses = (4), macro = MADE;
char spliced[] = "two\
 lines of it", adjacent[] = "one " "two and more";
DECLARE(int, declared);
int braces[] = BRACES;
int (*function_pointer)(int) = 0;
extern int elsewhere;
int uninitialised, after_it = 8;
register_t_is_no_type; int semi = 9;;

static int function(int parameter) {
	int local = 1;
	static int local_static = 2;
	struct rev r = { .name = "local" };
	for (int i = 0; i < 3; i++) { local = i; }
	local_static = 4;
	if (local) { uninitialised = 5; } else uninitialised = 6;
	return local + local_static + r.n[0] + parameter;
}

int knr(a, b) int a; char *b; { int local = 1; return a + local; }

#if 0
int never = 1;
it's "not even C
#elif 1
int always = 10;
#else
int never_either = 2;
#endif

#ifdef NOT_DEFINED
static int two_heads(void) {
	int inner = 1;
#else
static int two_heads(int parameter) {
	int other_inner = 2;
#endif
	int shared_inner = 3;
	return shared_inner + other_inner;
}

#ifdef __cplusplus
extern "C" {
#endif
int in_extern = 11;
#ifdef __cplusplus
}
#endif

static int with_attributes(void) __attribute__((unused));
static int with_attributes(void) { int local = 1; return local; }
struct rev *returns_structure(struct rev *r) { r->n[0] = 1; return r; }
enum color returns_enum(void) { enum { INNER_CONSTANT = 3 }; return INNER_CONSTANT ? RED : GREEN; }
int statement_expression = sizeof(int) == 4 ? 1 : 2;
char quotes[] = "a\"b\\c\x41\101\u00e4\?\e[0m and so on", comment[] = "/* none */ // none";
int last
%:define no
= 12;
