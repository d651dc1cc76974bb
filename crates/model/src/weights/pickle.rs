//! A reader of pickles that executes nothing.
//!
//! A pickle is a program for a stack machine. Of its instructions those are understood that `torch.save` writes for
//! dictionaries of tensors. Calls are recorded, not made: a call of what rebuilds a tensor becomes a description of
//! the tensor, any other call an object without meaning. Objects stand in one list and refer to each other by number,
//! so that nothing is copied and a small file cannot grow.

use std::collections::BTreeMap;

/// Objects of one pickle, and instructions. A checkpoint with a thousand tensors has some ten thousand.
const MAX_OBJECTS: usize = 1 << 20;

/// Dimensions of one tensor.
const MAX_RANK: usize = 8;

/// A number of an object.
pub(super) type Id = usize;

/// What a pickle builds.
#[derive(Debug)]
pub(super) enum Object {
    /// None, a boolean, a float, or the result of a call that is not understood.
    Opaque,
    Integer(i64),
    Text(String),
    /// A tuple or a list.
    Sequence(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    /// A name in a module.
    Global(String, String),
    /// A storage: its type and key.
    Storage(String, String),
    Tensor(View),
}

/// Where the elements of a tensor lie in a storage.
#[derive(Debug)]
pub(super) struct View {
    pub storage_type: String,
    pub key: String,
    pub offset: usize,
    pub dims: Vec<usize>,
    pub strides: Vec<usize>,
}

/// All objects and the result of the program.
#[derive(Debug)]
pub(super) struct Objects {
    objects: Vec<Object>,
    root: Id,
}

impl Objects {
    pub fn root(&self) -> Id {
        self.root
    }

    pub fn get(&self, id: Id) -> &Object {
        &self.objects[id]
    }

    /// The value of a text key, if `id` is a dictionary that has it.
    pub fn entry(&self, id: Id, key: &str) -> Option<Id> {
        let Object::Dictionary(entries) = self.get(id) else {
            return None;
        };
        let mut entries = entries.iter();
        let found =
            entries.find(|(k, _)| matches!(self.get(*k), Object::Text(text) if text == key));
        found.map(|&(_, value)| value)
    }
}

/// Runs the program.
pub(super) fn read(bytes: &[u8]) -> Result<Objects, String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        objects: vec![],
        stack: vec![],
        marks: vec![],
        memo: BTreeMap::new(),
    };
    for _ in 0..MAX_OBJECTS {
        if let Some(root) = machine.step()? {
            let objects = machine.objects;
            return Ok(Objects { objects, root });
        }
    }
    Err(format!(
        "the pickle has more than {MAX_OBJECTS} instructions"
    ))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl Machine<'_> {
    /// One instruction; the result if it was the last.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let [instruction] = self.take()?;
        match instruction {
            // PROTO, FRAME
            0x80 => drop(self.take::<1>()?),
            0x95 => drop(self.take::<8>()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' | 0x88 | 0x89 => self.push(Object::Opaque),
            b'G' => {
                self.take::<8>()?;
                self.push(Object::Opaque);
            }
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.push(Object::Integer(value.into()));
            }
            b'K' => {
                let value = u8::from_le_bytes(self.take()?);
                self.push(Object::Integer(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.push(Object::Integer(value.into()));
            }
            // LONG1: little-endian two's complement
            0x8a => {
                let [length] = self.take()?;
                let bytes = self.slice(length.into())?;
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut value = [if negative { 0xff } else { 0 }; 8];
                let room = value.get_mut(..bytes.len());
                room.ok_or("an integer is too large")?
                    .copy_from_slice(bytes);
                self.push(Object::Integer(i64::from_le_bytes(value)));
            }
            b'X' | b'T' => {
                let length = u32::from_le_bytes(self.take()?);
                self.text(length as usize)?;
            }
            0x8c | b'U' => {
                let [length] = self.take()?;
                self.text(length.into())?;
            }
            b'}' => self.push(Object::Dictionary(vec![])),
            b']' | b')' => self.push(Object::Sequence(vec![])),
            b't' | b'l' => {
                let items = self.marked()?;
                self.push(Object::Sequence(items));
            }
            0x85..=0x87 => {
                let count = usize::from(instruction - 0x84);
                let items = self.top(count)?;
                self.push(Object::Sequence(items));
            }
            b'a' => {
                let items = self.top(1)?;
                self.append(items)?;
            }
            b'e' => {
                let items = self.marked()?;
                self.append(items)?;
            }
            b's' => {
                let items = self.top(2)?;
                self.set(items)?;
            }
            b'u' => {
                let items = self.marked()?;
                self.set(items)?;
            }
            b'q' => {
                let place = u8::from_le_bytes(self.take()?);
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.take()?);
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let place = u8::from_le_bytes(self.take()?);
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.take()?);
                self.recall(place)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Object::Global(module, name));
            }
            // STACK_GLOBAL
            0x93 => {
                let names = self.top(2)?;
                let [module, name] = [names[0], names[1]].map(|id| match &self.objects[id] {
                    Object::Text(text) => text.clone(),
                    _ => String::new(),
                });
                self.push(Object::Global(module, name));
            }
            b'Q' => {
                let id = self.pop()?;
                let object = self.storage(id).unwrap_or(Object::Opaque);
                self.push(object);
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => {
                let call = self.top(2)?;
                self.call(call[0], call[1]);
            }
            // BUILD: attributes of an object; a dictionary stays one.
            b'b' => drop(self.pop()?),
            other => {
                return Err(format!(
                    "the pickle has the instruction {other:#04x}, which no dictionary of tensors needs"
                ));
            }
        }
        Ok(None)
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or("the pickle ends early")?;
        self.at += length;
        Ok(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.slice(N)?;
        bytes.try_into().map_err(|_| "the pickle ends early".into())
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.slice(length)?).into_owned();
        self.push(Object::Text(text));
        Ok(())
    }

    /// Up to the end of the line.
    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or("the pickle ends early")?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack
            .pop()
            .ok_or_else(|| "the pickle takes from an empty stack".into())
    }

    /// The topmost objects, lowest first, taken away.
    fn top(&mut self, count: usize) -> Result<Vec<Id>, String> {
        let height = self.stack.len().checked_sub(count);
        let height = height.ok_or("the pickle takes from an empty stack")?;
        Ok(self.stack.split_off(height))
    }

    /// What was pushed since the last mark.
    fn marked(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("the pickle lacks a mark")?))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let target = *self.stack.last().ok_or("the pickle appends to nothing")?;
        if let Object::Sequence(sequence) = &mut self.objects[target] {
            sequence.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), String> {
        let target = *self.stack.last().ok_or("the pickle writes to nothing")?;
        if let Object::Dictionary(entries) = &mut self.objects[target] {
            entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn remember(&mut self, place: u32) -> Result<(), String> {
        let id = *self.stack.last().ok_or("the pickle remembers nothing")?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), String> {
        let id = self
            .memo
            .get(&place)
            .ok_or("the pickle recalls what it never had")?;
        self.stack.push(*id);
        Ok(())
    }

    fn items(&self, id: Id) -> Option<&[Id]> {
        match self.objects.get(id)? {
            Object::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// ("storage", type, key, device, elements)
    fn storage(&self, id: Id) -> Option<Object> {
        let &[_, kind, key, ..] = self.items(id)? else {
            return None;
        };
        match (&self.objects[kind], &self.objects[key]) {
            (Object::Global(_, kind), Object::Text(key)) => {
                Some(Object::Storage(kind.clone(), key.clone()))
            }
            _ => None,
        }
    }

    /// Pushes what a call stands for. A parameter is its tensor.
    fn call(&mut self, function: Id, arguments: Id) {
        let object = match &self.objects[function] {
            Object::Global(module, name) => match (module.as_str(), name.as_str()) {
                ("collections", "OrderedDict") => Object::Dictionary(vec![]),
                ("torch._utils", "_rebuild_tensor_v2") => self
                    .tensor(arguments)
                    .map_or(Object::Opaque, Object::Tensor),
                ("torch._utils", "_rebuild_parameter") => match self.items(arguments) {
                    Some(&[tensor, ..]) => return self.stack.push(tensor),
                    _ => Object::Opaque,
                },
                _ => Object::Opaque,
            },
            _ => Object::Opaque,
        };
        self.push(object);
    }

    /// (storage, offset, sizes, strides, ...)
    fn tensor(&self, arguments: Id) -> Option<View> {
        let &[storage, offset, dims, strides, ..] = self.items(arguments)? else {
            return None;
        };
        let size = |id: Id| match self.objects[id] {
            Object::Integer(value) => usize::try_from(value).ok(),
            _ => None,
        };
        let sizes = |id| {
            self.items(id)?
                .iter()
                .map(|&id| size(id))
                .collect::<Option<Vec<_>>>()
        };
        let (dims, strides) = (sizes(dims)?, sizes(strides)?);
        match &self.objects[storage] {
            Object::Storage(storage_type, key)
                if dims.len() == strides.len() && dims.len() <= MAX_RANK =>
            {
                Some(View {
                    storage_type: storage_type.clone(),
                    key: key.clone(),
                    offset: size(offset)?,
                    dims,
                    strides,
                })
            }
            _ => None,
        }
    }
}
