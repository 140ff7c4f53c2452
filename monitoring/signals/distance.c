/* The distance of a single embedding in the space of `space.py`: a lone row takes one call instead of some of NumPy, each of which takes
 * several times as long beside a call of a model as in a loop. What is not as a space and a model have it, is left to NumPy.
 *
 * Only the stable part of Python's C API is used.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>

#define MOST_DIRECTIONS 64
/* The square of the length of an embedding in which nothing is awake. */
#define ASLEEP 1e-24f

/* Of an embedding whose whitened place is compared with a centre; NaN if it is too long for a float. */
static double distance(const float *embedding, Py_ssize_t features, const float *whitening, const float *centre, Py_ssize_t directions) {
    float place[MOST_DIRECTIONS] = {0}, square = 0, distances = 0;
    for (Py_ssize_t feature = 0; feature < features; feature++, whitening += directions) {
        float value = embedding[feature];
        if (value == 0) continue; /* after a ReLU, half of them */
        square += value * value;
        for (Py_ssize_t direction = 0; direction < directions; direction++) place[direction] += value * whitening[direction];
    }
    if (!(square < INFINITY)) return NAN;
    float root = (float)sqrt(sqrt(square > ASLEEP ? square : ASLEEP));
    for (Py_ssize_t direction = 0; direction < directions; direction++) {
        float away = place[direction] / root - centre[direction];
        distances += away * away;
    }
    return sqrt(distances);
}

/* Whether an object gives away an array of floats, in one piece and in order. If so, it is to be released. */
static int has_floats(PyObject *object, Py_buffer *array) {
    if (PyObject_GetBuffer(object, array, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS)) {
        PyErr_Clear();
        return 0;
    }
    if (array->ndim && array->format && array->format[0] == 'f' && !array->format[1]) return 1;
    PyBuffer_Release(array);
    return 0;
}

static PyObject *of_one(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    (void)module;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "expected embedding, whitening, centres and group");
        return NULL;
    }
    Py_ssize_t group = PyNumber_AsSsize_t(arguments[3], PyExc_IndexError);
    if (group == -1 && PyErr_Occurred()) return NULL;

    Py_buffer arrays[3];
    int held = 0;
    while (held < 3 && has_floats(arguments[held], &arrays[held])) held++;
    PyObject *found = NULL;
    if (held == 3 && arrays[1].ndim == 2 && arrays[2].ndim == 2) {
        Py_ssize_t features = arrays[1].shape[0], directions = arrays[1].shape[1];
        int fit = arrays[0].len == features * (Py_ssize_t)sizeof(float) && directions <= MOST_DIRECTIONS;
        if (fit && arrays[2].shape[1] == directions && group >= 0 && group < arrays[2].shape[0]) {
            const float *centre = (const float *)arrays[2].buf + group * directions;
            found = PyFloat_FromDouble(distance(arrays[0].buf, features, arrays[1].buf, centre, directions));
        }
    }
    while (held--) PyBuffer_Release(&arrays[held]);
    if (found || PyErr_Occurred()) return found;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"of_one", (PyCFunction)(void (*)(void))of_one, METH_FASTCALL, "The distance of an embedding to the centre of a group; None if it is for NumPy."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "distance", .m_methods = methods};

PyMODINIT_FUNC PyInit_distance(void) { return PyModuleDef_Init(&definition); }
