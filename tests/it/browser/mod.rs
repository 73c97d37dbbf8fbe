//! What only a browser can tell. One file per part of the product.
mod access;
mod first_key;
mod hands;
mod keys;
mod no_script;
mod scene;
mod search;
mod show_once;
mod sign_in;
mod stored_xss;
