//! The profile that wpa_supplicant reads. Names stand in it as hexadecimal digits, which need no quoting.

use super::Wifi;

/// Where `wpa_supplicant@wlan0.service` looks.
pub(super) const PATH: &str = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf";
/// A key of this many hexadecimal digits is the key itself, not a password that it is made of.
pub(crate) const KEY_DIGITS: usize = 64;

/// The profile's text.
pub(super) fn profile(wifi: &Wifi) -> String {
    let name: String = wifi.name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let security = match &wifi.password {
        None => "    key_mgmt=NONE\n".to_owned(),
        Some(key) if is_key(key) => format!("    key_mgmt=WPA-PSK\n    psk={key}\n"),
        // The text ends at the last quotation mark of the line, so one inside needs no escape.
        Some(password) => {
            format!("    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n    ieee80211w=1\n    psk=\"{password}\"\n")
        }
    };
    format!(
        "# Written by `clawdbot first-boot`.\nctrl_interface=/run/wpa_supplicant\ncountry={}\n\nnetwork={{\n    ssid={name}\n    \
         scan_ssid=1\n{security}}}\n",
        wifi.country
    )
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wifi(password: Option<&str>) -> String {
        let wifi =
            Wifi { country: "DE".to_owned(), name: "Café \"2\"".to_owned(), password: password.map(str::to_owned) };
        profile(&wifi)
    }

    #[test]
    fn names_need_no_quoting_and_passwords_keep_theirs() {
        let text = wifi(Some("with \" and \\"));
        assert!(text.contains("\n    ssid=436166c3a920223222\n") && text.contains("\ncountry=DE\n"), "{text}");
        assert!(text.contains("\n    psk=\"with \" and \\\"\n") && text.contains("SAE"), "{text}");
    }

    #[test]
    fn a_key_is_no_password_and_an_open_network_has_neither() {
        assert!(wifi(Some(&"0f".repeat(32))).contains(&format!("\n    psk={}\n", "0f".repeat(32))));
        assert!(wifi(None).contains("key_mgmt=NONE") && !wifi(None).contains("psk"));
    }
}
