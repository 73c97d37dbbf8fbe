//! What only a browser can tell. One file per part of the product.
mod first_key;
mod hands;
mod show_once;
mod sign_in;
