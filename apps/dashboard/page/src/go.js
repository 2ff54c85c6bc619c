// SPDX-License-Identifier: Apache-2.0
// go.js - to another page.
export const go = (where) => {
  location.hash = `#/${where}`;
};
export const casePath = (id) => `case/${id}`;
export const accountPath = (name) => `account/${encodeURIComponent(name)}`;
