//! From a schema's JSON to nodes with numbers, so that types may name each other and themselves.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// A parsed schema; node 0 is no special one, `root` is where reading begins.
#[derive(Debug)]
pub struct Schema {
    nodes: Vec<Node>,
    pub root: usize,
}

#[derive(Debug)]
pub struct Node {
    pub shape: Shape,
    /// Kafka Connect's name for the meaning of the values: `io.debezium.time.Date`.
    pub connect_name: Option<String>,
    /// `int16` where Avro has only `int`.
    pub connect_type: Option<String>,
    pub logical: Option<String>,
    pub scale: Option<i32>,
    pub precision: Option<u32>,
}

#[derive(Debug)]
pub enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<Field>),
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub node: usize,
}

/// Types inside types; a schema beyond it is refused.
const DEPTH_MAX: usize = 64;

impl Schema {
    /// Reads a schema; `references` are those of other subjects that it names, in an order in which each knows the ones before.
    pub fn parse(text: &str, references: &[String]) -> Result<Schema, String> {
        let mut parser = Parser { nodes: Vec::new(), names: HashMap::new() };
        for reference in references {
            parser.text(reference)?;
        }
        let root = parser.text(text)?;
        Ok(Schema { nodes: parser.nodes, root })
    }

    pub fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// The only branch of a union that is not null; any other node is itself.
    pub fn inner(&self, node: usize) -> &Node {
        match &self.nodes[node].shape {
            Shape::Union(branches) => {
                let mut others = branches.iter().filter(|branch| !matches!(self.nodes[**branch].shape, Shape::Null));
                match (others.next(), others.next()) {
                    (Some(only), None) => &self.nodes[*only],
                    _ => &self.nodes[node],
                }
            }
            _ => &self.nodes[node],
        }
    }

    /// The fields of a row: of an envelope's `after` or `before`, else of the root.
    pub fn row(&self) -> Option<&[Field]> {
        let Shape::Record(fields) = &self.inner(self.root).shape else { return None };
        let inside = |name: &str| {
            let field = fields.iter().find(|field| field.name == name)?;
            match &self.inner(field.node).shape {
                Shape::Record(fields) => Some(&fields[..]),
                _ => None,
            }
        };
        Some(inside("after").or_else(|| inside("before")).unwrap_or(fields))
    }
}

struct Parser {
    nodes: Vec<Node>,
    /// Nodes of records, enums and fixed types by full name.
    names: HashMap<String, usize>,
}

impl Parser {
    fn text(&mut self, text: &str) -> Result<usize, String> {
        match serde_json::from_str::<Json>(text) {
            Ok(json) => self.node(&json, "", 0),
            // A schema of one primitive type may come without quotes.
            Err(error) => self.named(text.trim(), "").map_err(|_| format!("it is not JSON: {error}")),
        }
    }

    fn add(&mut self, shape: Shape) -> usize {
        let node = Node { shape, connect_name: None, connect_type: None, logical: None, scale: None, precision: None };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn node(&mut self, json: &Json, namespace: &str, depth: usize) -> Result<usize, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it nests types more than {DEPTH_MAX} deep"));
        }
        match json {
            Json::String(name) => self.named(name, namespace),
            Json::Array(branches) => {
                let branches: Result<Vec<usize>, String> =
                    branches.iter().map(|branch| self.node(branch, namespace, depth + 1)).collect();
                Ok(self.add(Shape::Union(branches?)))
            }
            Json::Object(map) => self.object(map, namespace, depth),
            other => Err(format!("{other} is no type")),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<usize, String> {
        let shape = match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" => Shape::Int,
            "long" => Shape::Long,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "bytes" => Shape::Bytes,
            "string" => Shape::Text,
            _ => {
                let full = full_name(name, namespace);
                let known = self.names.get(&full).or_else(|| self.names.get(name));
                return known.copied().ok_or_else(|| format!("the type \"{name}\" is not defined"));
            }
        };
        Ok(self.add(shape))
    }

    fn object(&mut self, map: &Map<String, Json>, namespace: &str, depth: usize) -> Result<usize, String> {
        let text = |key: &str| map.get(key).and_then(Json::as_str);
        let kind = map.get("type").ok_or("a type without \"type\"")?;
        let Some(kind) = kind.as_str() else {
            // {"type": {…}} and {"type": […]}: what is around it says nothing more.
            return self.node(kind, namespace, depth + 1);
        };
        let namespace = text("namespace").unwrap_or(namespace);
        let node = match kind {
            "record" | "error" => {
                let node = self.name(map, namespace)?;
                let namespace = match text("name").and_then(|name| name.rsplit_once('.')) {
                    Some((own, _)) => own,
                    None => namespace,
                };
                let mut fields = Vec::new();
                for field in map.get("fields").and_then(Json::as_array).ok_or("a record without fields")? {
                    let name = field.get("name").and_then(Json::as_str).ok_or("a field without a name")?;
                    let of = field.get("type").ok_or_else(|| format!("the field \"{name}\" has no type"))?;
                    fields.push(Field { name: name.to_owned(), node: self.node(of, namespace, depth + 1)? });
                }
                self.nodes[node].shape = Shape::Record(fields);
                node
            }
            "enum" => {
                let node = self.name(map, namespace)?;
                let symbols = map.get("symbols").and_then(Json::as_array).ok_or("an enum without symbols")?;
                let symbols = symbols.iter().map(|symbol| symbol.as_str().unwrap_or_default().to_owned());
                self.nodes[node].shape = Shape::Enum(symbols.collect());
                node
            }
            "fixed" => {
                let node = self.name(map, namespace)?;
                let size = map.get("size").and_then(Json::as_u64).ok_or("a fixed type without a size")?;
                self.nodes[node].shape = Shape::Fixed(usize::try_from(size).map_err(|_| "a fixed type too large")?);
                node
            }
            "array" => {
                let items = self.node(map.get("items").ok_or("an array without items")?, namespace, depth + 1)?;
                self.add(Shape::Array(items))
            }
            "map" => {
                let values = self.node(map.get("values").ok_or("a map without values")?, namespace, depth + 1)?;
                self.add(Shape::Map(values))
            }
            name => {
                let node = self.named(name, namespace)?;
                if matches!(self.nodes[node].shape, Shape::Record(_) | Shape::Enum(_) | Shape::Fixed(_)) {
                    return Ok(node); // a type named again says nothing new about itself
                }
                node
            }
        };
        let number = |key: &str| map.get(key).and_then(Json::as_i64);
        let parameter = || map.get("connect.parameters")?.get("scale")?.as_str()?.parse::<i64>().ok();
        let of = &mut self.nodes[node];
        of.connect_name = text("connect.name").map(str::to_owned);
        of.connect_type = text("connect.type").map(str::to_owned);
        of.logical = text("logicalType").map(str::to_owned);
        of.scale = number("scale").or_else(parameter).and_then(|scale| i32::try_from(scale).ok());
        of.precision = number("precision").and_then(|precision| u32::try_from(precision).ok());
        Ok(node)
    }

    /// A node that is known by its name before it has a shape: a record may hold itself.
    fn name(&mut self, map: &Map<String, Json>, namespace: &str) -> Result<usize, String> {
        let name = map.get("name").and_then(Json::as_str).ok_or("a type without a name")?;
        let node = self.add(Shape::Null);
        self.names.insert(full_name(name, namespace), node);
        Ok(node)
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') { name.to_owned() } else { format!("{namespace}.{name}") }
}
