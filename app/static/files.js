// The other ways in: choose a file, drop one anywhere on the page, paste one.

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

const listenToDrops = (curtain, onFiles) => {
  const show = (shown) => { curtain.hidden = !shown; };
  addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show(true);
  });
  // relatedTarget is null only when the drag leaves the window itself
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) show(false); });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show(false);
    onFiles([...event.dataTransfer.files]);
  });
};

const listenToPaste = (onFiles) => {
  addEventListener("paste", (event) => onFiles([...(event.clipboardData?.files ?? [])]));
};

const listenToChooser = (button, input, onFiles) => {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
};

export const takeFiles = ({ button, input, curtain }, onFiles) => {
  const some = (files) => { if (files.length) onFiles(files); };
  listenToChooser(button, input, some);
  listenToDrops(curtain, some);
  listenToPaste(some);
};
