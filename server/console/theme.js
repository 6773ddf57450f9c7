// Light or dark: as the system says, until a person has chosen.

const CHOICE = "hooksd.theme";

function shown() {
	const chosen = localStorage.getItem(CHOICE);
	if (chosen === "light" || chosen === "dark") return chosen;
	return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// button: switches from one to the other.
export function themes(button) {
	const show = () => {
		const chosen = localStorage.getItem(CHOICE);
		if (chosen) document.documentElement.dataset.theme = chosen;
		button.textContent = shown() === "dark" ? "Light" : "Dark";
		button.setAttribute("aria-label", `Switch to ${shown() === "dark" ? "light" : "dark"} colours`);
	};
	button.addEventListener("click", () => {
		localStorage.setItem(CHOICE, shown() === "dark" ? "light" : "dark");
		show();
	});
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
	show();
}
