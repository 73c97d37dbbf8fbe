//! What only a browser can tell. One file per part of the product.
mod sign_in;
