/* Nested lists of whole numbers from 0 to 255 in JSON, as pixels are, become bytes: without a Python object for each number, which takes
 * most of the time that a request in JSON takes to read. What is anything else is left to whoever reads all of JSON.
 *
 * A bytes object ends with a NUL that does not count, and nothing here goes past a byte that it has not recognized: so no length is
 * compared. Only the stable part of Python's C API is used.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MOST_AXES 8

static inline int is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static inline const char *past_space(const char *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') at++;
    return at;
}

/* One number, which may be written as in 7.0; where it ends, or NULL if it is none from 0 to 255. */
static inline const char *read_number(const char *at, unsigned char *octet) {
    if (!is_digit(*at)) return NULL;
    int value = *at++ - '0';
    if (value && is_digit(*at)) { /* JSON knows no 07 */
        value = 10 * value + *at++ - '0';
        if (is_digit(*at)) value = 10 * value + *at++ - '0';
    }
    if (*at == '.') {
        do at++; while (*at == '0');
        if (at[-1] == '.') return NULL;
    }
    *octet = (unsigned char)value;
    return value > 255 ? NULL : at; /* if the number goes on, what follows is neither a comma nor a bracket */
}

/* The numbers up to the end of their list; where that is, or NULL. */
static inline const char *read_row(const char *at, unsigned char **octets) {
    unsigned char *next = *octets;
    while ((at = read_number(at, next))) {
        next++;
        at = past_space(at);
        if (*at == ']') {
            *octets = next;
            return at;
        }
        if (*at != ',') return NULL;
        at = past_space(at + 1);
    }
    return NULL;
}

/* A list of lists, and so on; where it ends, or NULL. All lists of an axis have to be of one length, and none empty. */
static const char *read_list(const char *at, unsigned char **octets, Py_ssize_t shape[MOST_AXES], int *axes) {
    Py_ssize_t lengths[MOST_AXES] = {0};
    int depth = 0;
    for (;;) {
        for (; *at == '['; at = past_space(at + 1)) {
            if (depth == (*axes ? *axes : MOST_AXES)) return NULL;
            lengths[depth++] = 0;
        }
        if (!*axes) *axes = depth;
        const unsigned char *row = *octets;
        if (depth != *axes || !(at = read_row(at, octets))) return NULL;
        lengths[depth - 1] = *octets - row;
        do {
            at = past_space(at + 1);
            depth--;
            if (!shape[depth]) shape[depth] = lengths[depth];
            if (shape[depth] != lengths[depth]) return NULL;
            if (!depth) return at;
            lengths[depth - 1]++;
        } while (*at == ']');
        if (*at != ',') return NULL;
        at = past_space(at + 1);
    }
}

static PyObject *octets_read(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject *body;
    Py_ssize_t start;
    if (!PyArg_ParseTuple(arguments, "Sn", &body, &start)) return NULL;
    const char *begin = PyBytes_AsString(body);
    Py_ssize_t left = PyBytes_Size(body) - start;
    if (start < 0 || left <= 0 || begin[start] != '[') Py_RETURN_NONE;

    PyObject *found = PyByteArray_FromStringAndSize(NULL, left / 2 + 1); /* each has a comma or a bracket beside it */
    if (!found) return NULL;
    unsigned char *octets = (unsigned char *)PyByteArray_AsString(found), *last = octets;
    Py_ssize_t shape[MOST_AXES] = {0};
    int axes = 0;
    const char *end = read_list(begin + start, &last, shape, &axes);
    if (!end) {
        Py_DECREF(found);
        Py_RETURN_NONE;
    }
    PyObject *lengths = PyTuple_New(axes);
    for (int axis = 0; lengths && axis < axes; axis++) {
        PyObject *length = PyLong_FromSsize_t(shape[axis]);
        if (!length || PyTuple_SetItem(lengths, axis, length)) Py_CLEAR(lengths);
    }
    if (!lengths || PyByteArray_Resize(found, last - octets)) {
        Py_DECREF(found);
        Py_XDECREF(lengths);
        return NULL;
    }
    return Py_BuildValue("NNn", found, lengths, end - begin);
}

static PyMethodDef methods[] = {
    {"read", octets_read, METH_VARARGS, "The list of octets that begins at a place of a body: values, shape and end; None if it is none."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "octets", .m_methods = methods};

PyMODINIT_FUNC PyInit_octets(void) { return PyModuleDef_Init(&definition); }
