//! The corpora that are kept of the fuzz targets: one file each, in it the inputs one after the
//! other, each after its length (4 bytes, little endian). Thousands of small files would be in
//! everybody's way.

/// The inputs of a file; none where it is no such file.
pub fn unpack(mut file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    while !file.is_empty() {
        let (&length, rest) = file.split_first_chunk()?;
        let (input, rest) = rest.split_at_checked(u32::from_le_bytes(length) as usize)?;
        inputs.push(input.to_vec());
        file = rest;
    }
    Some(inputs)
}

/// The file of these inputs.
pub fn pack(inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for input in inputs {
        file.extend((input.len() as u32).to_le_bytes());
        file.extend_from_slice(input);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_back_and_a_cut_is_noticed() {
        let inputs = vec![b"a".to_vec(), vec![], vec![7; 300]];
        let file = pack(&inputs);
        assert_eq!(unpack(&file), Some(inputs));
        assert_eq!(unpack(&file[..file.len() - 1]), None);
        assert_eq!(unpack(&[1, 0]), None);
    }
}
