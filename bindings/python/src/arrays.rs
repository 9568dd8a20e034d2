//! Arrays of numpy: one number per response, or one per token in padded or ragged rows.

use std::any::type_name;
use std::convert::Infallible;

use numpy::{
    Element, IntoPyArray, Ix1, Ix2, PyArray, PyArray2, PyArrayDyn, PyArrayMethods,
    PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{IntoPyDict, PyList};
use rerec::advantage::Ragged;

use crate::arguments::{self, each, same_length};
use crate::error::wrong_type;

/// Rows of numbers with the form in which they came, which is the form of what is made of them.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    pub(crate) values: Ragged<T>,
    pub(crate) form: Form,
}

/// How rows are laid out in numpy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// The columns of one array of two dimensions; none for a list of arrays of one dimension.
    pub(crate) width: Option<usize>,
    /// Whether the numbers are of 32 bits.
    pub(crate) single: bool,
}

/// An array that is handed out, whose elements the stubs name.
#[derive(Debug)]
pub(crate) struct Array<'py, T, D>(Bound<'py, PyArray<T, D>>);

/// An array of one dimension.
pub(crate) type Vector<'py, T> = Array<'py, T, Ix1>;
/// An array of two dimensions.
pub(crate) type Matrix<'py, T> = Array<'py, T, Ix2>;

/// Elements by their name in numpy.
pub(crate) trait Named {
    const NAME: PyStaticExpr;
}

impl Named for f64 {
    const NAME: PyStaticExpr = pyo3::type_hint_identifier!("numpy", "float64");
}

impl Named for f32 {
    const NAME: PyStaticExpr = pyo3::type_hint_identifier!("numpy", "float32");
}

impl Named for bool {
    const NAME: PyStaticExpr = pyo3::type_hint_identifier!("numpy", "bool_");
}

impl<'py, T: Named, D> IntoPyObject<'py> for Array<'py, T, D> {
    type Target = PyArray<T, D>;
    type Output = Bound<'py, Self::Target>;
    type Error = Infallible;

    const OUTPUT_TYPE: PyStaticExpr = pyo3::type_hint_subscript!(
        pyo3::type_hint_identifier!("numpy.typing", "NDArray"),
        T::NAME
    );

    fn into_pyobject(self, _py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(self.0)
    }
}

impl<'py, T, D> From<Bound<'py, PyArray<T, D>>> for Array<'py, T, D> {
    fn from(array: Bound<'py, PyArray<T, D>>) -> Self {
        Self(array)
    }
}

/// The numbers of one array of numpy.
struct Numbers<T> {
    shape: Vec<usize>,
    values: Vec<T>,
    single: bool,
}

/// One number per response: an array of one dimension or a sequence of numbers.
pub(crate) fn numbers(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<f64>> {
    match value.cast::<PyUntypedArray>() {
        Ok(array) => Ok(of_dimensions(array, what, 1)?.values),
        Err(_) => each(value, what, |value, what| {
            let number = value.extract::<f64>();
            number.map_err(|_| wrong_type(what, "a number", value))
        }),
    }
}

/// Truth values, one per response: booleans, or zeros and ones.
pub(crate) fn truths(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<bool>> {
    let numbers = numbers(value, what)?.into_iter().enumerate();
    numbers
        .map(|(place, number)| bool::of(number).map_err(|cause| at(what, &[place], &cause)))
        .collect()
}

/// One number per token.
pub(crate) fn rows(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Rows<f64>> {
    read_rows(value, what)
}

/// One truth value per token.
pub(crate) fn mask(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Rows<bool>> {
    read_rows(value, what)
}

/// Whole numbers of 32 bits, one sequence per response: ids or bytes of its tokens.
pub(crate) fn whole_numbers(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<Vec<u32>>> {
    let row = |value: &Bound<'_, PyAny>, what: &str| match value.cast::<PyUntypedArray>() {
        Ok(array) => Ok(of_dimensions(array, what, 1)?.values),
        Err(_) => each(value, what, |value, what| {
            let number = match value.extract::<i64>() {
                Ok(number) => u32::of(number as f64),
                Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
                    Err(u32::fault(&value.str()?.to_string()))
                }
                Err(_) => return Err(wrong_type(what, "int", value)),
            };
            number.map_err(|cause| PyValueError::new_err(format!("{what} {cause}")))
        }),
    };
    each(value, what, row)
}

/// Responses, and the bytes of its text that each of their tokens holds.
pub(crate) fn responses(
    texts: &Bound<'_, PyAny>,
    token_byte_lens: &Bound<'_, PyAny>,
) -> PyResult<(Vec<PyBackedStr>, Vec<Vec<u32>>)> {
    let texts = arguments::texts(texts, "responses")?;
    let lens = whole_numbers(token_byte_lens, "token_byte_lens")?;
    same_length("token_byte_lens", lens.len(), texts.len())?;
    Ok((texts, lens))
}

/// What is made of the numbers of an array.
trait Wanted: Copy {
    fn allows(number: f64) -> bool;

    /// Of a number that is allowed.
    fn convert(number: f64) -> Self;

    /// What is wrong with one that is not.
    fn fault(number: &str) -> String;

    fn of(number: f64) -> Result<Self, String> {
        match Self::allows(number) {
            true => Ok(Self::convert(number)),
            false => Err(Self::fault(&number.to_string())),
        }
    }
}

impl Wanted for f64 {
    fn allows(_: f64) -> bool {
        true
    }

    fn convert(number: f64) -> Self {
        number
    }

    fn fault(number: &str) -> String {
        format!("must be a number, got {number}")
    }
}

impl Wanted for bool {
    fn allows(number: f64) -> bool {
        number == 0.0 || number == 1.0
    }

    fn convert(number: f64) -> Self {
        number != 0.0
    }

    fn fault(number: &str) -> String {
        format!("must be 0 or 1, got {number}")
    }
}

impl Wanted for u32 {
    fn allows(number: f64) -> bool {
        number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)
    }

    fn convert(number: f64) -> Self {
        // The check leaves nothing that this could round.
        number as u32
    }

    fn fault(number: &str) -> String {
        format!("must be a whole number from 0 to 4294967295, got {number}")
    }
}

fn read_rows<T: Wanted>(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Rows<T>> {
    if let Ok(array) = value.cast::<PyUntypedArray>() {
        let Numbers {
            shape,
            values,
            single,
        } = of_dimensions(array, what, 2)?;
        let offsets = (0..=shape[0]).map(|row| row * shape[1]).collect();
        let values = Ragged::new(values, offsets).map_err(crate::error::Failure::from)?;
        let form = Form {
            width: Some(shape[1]),
            single,
        };
        return Ok(Rows { values, form });
    }
    let rows = each(value, what, |value, what| {
        match value.cast::<PyUntypedArray>() {
            Ok(array) => of_dimensions::<T>(array, what, 1),
            Err(_) => Err(wrong_type(what, "an array of one dimension", value)),
        }
    })?;
    let single = !rows.is_empty() && rows.iter().all(|row| row.single);
    let mut values = Vec::with_capacity(rows.iter().map(|row| row.values.len()).sum());
    let mut offsets = vec![0];
    for row in rows {
        values.extend(row.values);
        offsets.push(values.len());
    }
    let values = Ragged::new(values, offsets).map_err(crate::error::Failure::from)?;
    Ok(Rows {
        values,
        form: Form {
            width: None,
            single,
        },
    })
}

fn of_dimensions<T: Wanted>(
    array: &Bound<'_, PyUntypedArray>,
    what: &str,
    dimensions: usize,
) -> PyResult<Numbers<T>> {
    if array.ndim() != dimensions {
        let message = format!(
            "{what} must have {dimensions} dimension(s), got shape {:?}",
            array.shape()
        );
        return Err(PyValueError::new_err(message));
    }
    macro_rules! of_any {
        ($($element:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArrayDyn<$element>>() {
                return of_element(array, what);
            })*
        };
    }
    of_any!(f32, f64, i64, i32, bool, u32, u8, i8, i16, u16, u64);
    let message = format!(
        "{what} must hold numbers of numpy (float32, float64, integers, bool), got {}",
        array.dtype()
    );
    Err(PyTypeError::new_err(message))
}

/// Numbers that are exact in 64-bit floats, or rounded where they are beyond 2^53.
trait Number: Element + Copy {
    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($element:ty => $convert:expr),*) => {$(
        impl Number for $element {
            fn number(self) -> f64 {
                let convert: fn($element) -> f64 = $convert;
                convert(self)
            }
        }
    )*};
}

numbers!(f32 => f64::from, f64 => |number| number, i64 => |number| number as f64, i32 => f64::from,
    bool => |truth| f64::from(u8::from(truth)), u32 => f64::from, u8 => f64::from, i8 => f64::from,
    i16 => f64::from, u16 => f64::from, u64 => |number| number as f64);

fn of_element<E: Number, T: Wanted>(
    array: &Bound<'_, PyArrayDyn<E>>,
    what: &str,
) -> PyResult<Numbers<T>> {
    let held = array.try_readonly()?;
    // Also the memory of a transposed array is one slice, in another order.
    let elements = held.as_slice().ok().filter(|_| array.is_c_contiguous());
    let Some(elements) = elements else {
        // Cut from another array, transposed or not aligned: numpy makes a copy that is none of these.
        let numpy = array.py().import("numpy")?;
        let copy = numpy.call_method(
            "array",
            (array,),
            Some(&[("order", "C")].into_py_dict(array.py())?),
        )?;
        return of_element(copy.cast::<PyArrayDyn<E>>()?, what);
    };
    let shape = array.shape().to_vec();
    // Looked for apart and without a branch: arrays have millions of numbers, and all of them are right.
    let allowed = elements.iter().map(|one| T::allows(one.number()));
    if !allowed.clone().fold(true, |all, one| all & one) {
        let first = allowed.clone().take_while(|&one| one).count();
        let fault = T::fault(&elements[first].number().to_string());
        return Err(at(what, &position(first, &shape), &fault));
    }
    Ok(Numbers {
        values: elements
            .iter()
            .map(|one| T::convert(one.number()))
            .collect(),
        single: type_name::<E>() == type_name::<f32>(),
        shape,
    })
}

/// Row and column, or the place alone, of an element.
fn position(place: usize, shape: &[usize]) -> Vec<usize> {
    match shape {
        [_, width] => vec![place / width, place % width],
        _ => vec![place],
    }
}

fn at(what: &str, position: &[usize], cause: &str) -> PyErr {
    let place: String = position.iter().map(|index| format!("[{index}]")).collect();
    PyValueError::new_err(format!("{what}{place} {cause}"))
}

impl Form {
    /// Rows in this form: one array of two dimensions, or a list of arrays.
    pub(crate) fn array<'py>(
        self,
        py: Python<'py>,
        rows: &Ragged<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(width) = self.width else {
            let rows = rows.rows().map(|row| flat(py, row, self.single));
            return Ok(PyList::new(py, rows)?.into_any());
        };
        let shape = (rows.len(), width);
        flat(py, rows.values(), self.single).call_method1("reshape", (shape,))
    }
}

/// An array of float32 of shape [rows, d], copied where it is not aligned.
pub(crate) fn matrix<'py>(
    value: &Bound<'py, PyAny>,
    what: &str,
) -> PyResult<PyReadonlyArray2<'py, f32>> {
    let expected = "an array of float32 of shape [rows, d]";
    let Ok(array) = value.cast::<PyUntypedArray>() else {
        return Err(wrong_type(what, expected, value));
    };
    let Ok(floats) = value.cast::<PyArray2<f32>>() else {
        let (shape, dtype) = (array.shape(), array.dtype());
        let message = format!("{what} must be {expected}, got {dtype} of shape {shape:?}");
        return Err(PyTypeError::new_err(message));
    };
    // Views of an array need its elements at places that the processor reads floats from.
    let numpy = value.py().import("numpy")?;
    let aligned = numpy.call_method1("require", (floats, value.py().None(), "CA"))?;
    aligned.extract()
}

/// An array of one dimension, of 32 bits if `single`.
pub(crate) fn flat<'py>(py: Python<'py>, values: &[f64], single: bool) -> Bound<'py, PyAny> {
    match single {
        true => {
            let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
            values.into_pyarray(py).into_any()
        }
        false => values.to_vec().into_pyarray(py).into_any(),
    }
}
