// Light or dark: the system's setting until the user chooses.

const CHOICE = "hooksd.theme";

function shown() {
	const chosen = localStorage.getItem(CHOICE);
	if (chosen === "light" || chosen === "dark") return chosen;
	return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// button: switches between the two.
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
