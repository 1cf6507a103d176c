// The login page: says so where the code was wrong.

document.querySelector("#wrong").hidden = !location.search.includes("wrong");
