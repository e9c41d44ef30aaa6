use super::*;
use crate::doctor::tests::tree::Tree;

#[test]
fn values_are_read_out_of_their_lines() {
    let answer = "     VDD_CORE_A current(7)=0.94657990A\n EXT5V_V volt(24)=5.15213000V";
    assert_eq!(value(answer, "EXT5V_V"), Some(5.152_13));
    assert_eq!(value(answer, "BATT_V"), None);
    assert_eq!(value("EXT5V_V volt(24)=nothing", "EXT5V_V"), None);
}

#[test]
fn the_board_s_own_program_is_asked() {
    let tree = Tree::new();
    assert_eq!(ask(&tree.machine(), &["get_throttled"]), None);
    tree.program("usr/bin/vcgencmd", "[ \"$1\" = get_throttled ] && echo throttled=0x50005");
    assert_eq!(ask(&tree.machine(), &["get_throttled"]).as_deref(), Some("throttled=0x50005"));
    assert_eq!(ask(&tree.machine(), &["other"]), None);
}

#[test]
fn a_firmware_that_does_not_answer_is_given_up() {
    let tree = Tree::new();
    tree.program("usr/bin/vcgencmd", "exec sleep 60");
    assert_eq!(ask(&tree.machine(), &["get_throttled"]), None);
}
