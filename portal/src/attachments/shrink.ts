// SPDX-License-Identifier: Apache-2.0
// A photo as it is sent: at most 1600 pixels wide or high, JPEG, drawn anew, so that nothing of what the
// camera wrote beside the picture (place, device) leaves the phone.

const SIDE = 1600;
const QUALITY = 0.8;

/** The file is no picture that this browser can read. */
export class Unreadable extends Error {}

async function load(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  try { await image.decode(); } catch { throw new Unreadable(); }
  if (image.naturalWidth === 0 || image.naturalHeight === 0) throw new Unreadable();
  return image;
}

export async function shrink(file: Blob): Promise<Blob> {
  const url = URL.createObjectURL(file);
  try {
    const image = await load(url);
    const scale = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    const context = canvas.getContext('2d');
    if (!context) throw new Unreadable();
    context.fillStyle = '#fff'; // what is see-through in a PNG
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((done) => { canvas.toBlob(done, 'image/jpeg', QUALITY); });
    if (!blob) throw new Unreadable();
    return blob;
  } finally { URL.revokeObjectURL(url); }
}
