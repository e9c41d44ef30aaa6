use super::*;

#[test]
fn a_password_is_never_shown() {
    let credentials = Credentials { user: "porch".to_owned(), password: Password::new("hunter2".to_owned()) };
    let shown = format!("{credentials:?}");
    assert!(shown.contains("porch") && shown.contains("***"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(credentials.password.reveal(), "hunter2");
}

#[test]
fn two_installations_of_one_node_have_two_client_ids() {
    let options = |install_id: &str| Options {
        node: "porch".to_owned(),
        prefix: PREFIX_DEFAULT.to_owned(),
        broker: Broker::External { host: "localhost".to_owned(), port: 1883 },
        credentials: None,
        tls: None,
        keep_alive: KEEP_ALIVE_DEFAULT,
        install_id: install_id.to_owned(),
    };
    assert_ne!(options("3f9a1c").client_id(), options("77b0e2").client_id());
}
