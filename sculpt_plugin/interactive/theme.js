// Light or dark: as the system has it, until the reader chooses.

const themeButton = document.createElement("button");
themeButton.type = "button";
themeButton.id = "theme";
const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  const dark = theme ? theme === "dark" : systemIsDark.matches;
  themeButton.textContent = dark ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
}

themeButton.addEventListener("click", () => {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : systemIsDark.matches;
  setTheme(dark ? "light" : "dark");
});
systemIsDark.addEventListener("change", () => setTheme(document.documentElement.dataset.theme));
setTheme("");
document.querySelector("header").append(themeButton);
