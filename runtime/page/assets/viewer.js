// Voxels as squares with a depth buffer, drawn by the processor: no graphics card is asked for, and a
// panel PC without one shows the same picture. 200,000 voxels take some 15 ms.

const COLD = [150, 160, 172], WARM = [255, 200, 0], HOT = [226, 0, 0], MOST_PX = 1200;

export class Viewer {
  constructor(canvas, buffer, voxel_mm, marks) {
    const [measured, golden] = new Uint32Array(buffer, 0, 2);
    this.points = new Float32Array(buffer, 8, 4 * measured);
    this.golden = new Float32Array(buffer, 8 + 16 * measured, 3 * golden);
    Object.assign(this, { canvas, voxel_mm, marks, limit: 1, axis: "", cut: 1, surface: true, frames: 0 });
    this.bounds();
    this.reset();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  bounds() {
    this.low = [Infinity, Infinity, Infinity]; this.high = [-Infinity, -Infinity, -Infinity];
    for (const [values, step] of [[this.points, 4], [this.golden, 3]]) {
      for (let at = 0; at < values.length; at += step) for (let axis = 0; axis < 3; axis += 1) {
        const value = values[at + axis];
        if (value < this.low[axis]) this.low[axis] = value;
        if (value > this.high[axis]) this.high[axis] = value;
      }
    }
  }

  reset() {
    this.yaw = -0.6; this.pitch = 0.9; this.zoom = 1;
    this.centre = this.low.map((low, axis) => (low + this.high[axis]) / 2);
    this.draw();
  }

  look(place) { this.centre = [...place]; this.zoom = 3; this.draw(); }

  over() {
    let count = 0;
    for (let at = 3; at < this.points.length; at += 4) if (this.points[at] >= this.limit) count += 1;
    return count;
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.render(); });
  }

  render() {
    const wide = Math.min(this.canvas.clientWidth * devicePixelRatio, MOST_PX) | 0;
    if (wide < 10) return;
    this.canvas.width = wide; this.canvas.height = (wide * 5 / 8) | 0;
    const context = this.canvas.getContext("2d");
    const picture = context.createImageData(this.canvas.width, this.canvas.height);
    const target = { width: this.canvas.width, height: this.canvas.height, data: picture.data,
      depth: new Float32Array(this.canvas.width * this.canvas.height).fill(Infinity) };
    const turn = this.turned(target);
    const bare = this.golden.length === 0 || !this.surface;
    if (!bare) this.splat(target, turn, this.golden, 3, () => COLD);
    this.splat(target, turn, this.points, 4, (score) => this.colour(score, bare));
    shade(target, 3 * this.voxel_mm);
    context.putImageData(picture, 0, 0);
    this.number(context, turn);
    this.frames += 1;
    Object.assign(this.canvas.dataset, { frames: this.frames, yaw: this.yaw.toFixed(2), zoom: this.zoom.toFixed(2) });
  }

  /** Rows of the rotation times the scale, and where the centre falls. */
  turned({ width, height }) {
    const size = Math.hypot(...this.low.map((low, axis) => this.high[axis] - low)) || 1;
    const scale = (this.zoom * 1.2 * height) / size;
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return { scale, x: [cy, -sy, 0], y: [-sy * sp, -cy * sp, -cp], z: [sy * cp, cy * cp, -sp],
      left: width / 2, top: height / 2 };
  }

  place({ x, y, z, scale, left, top }, px, py, pz) {
    const dx = px - this.centre[0], dy = py - this.centre[1], dz = pz - this.centre[2];
    return [left + scale * (x[0] * dx + x[1] * dy + x[2] * dz), top + scale * (y[0] * dx + y[1] * dy + y[2] * dz),
      z[0] * dx + z[1] * dy + z[2] * dz];
  }

  colour(score, bare) {
    if (score >= this.limit) return HOT;
    if (score >= this.limit / 2) return WARM;
    return bare ? COLD : null;
  }

  splat(target, turn, values, step, colour) {
    const { width, height, data, depth } = target;
    const side = Math.max(1, Math.ceil(turn.scale * this.voxel_mm * 1.2)), half = side >> 1;
    const axis = "xyz".indexOf(this.axis || "-");
    const most = axis < 0 ? 0 : this.low[axis] + this.cut * (this.high[axis] - this.low[axis]);
    const { x, y, z, scale, left, top } = turn, [cx, cy, cz] = this.centre;
    for (let at = 0; at < values.length; at += step) {
      if (axis >= 0 && values[at + axis] > most) continue;
      const rgb = colour(step === 4 ? values[at + 3] : 0);
      if (rgb === null) continue;
      const dx = values[at] - cx, dy = values[at + 1] - cy, dz = values[at + 2] - cz;
      const lift = rgb === HOT ? 3 : rgb === WARM ? 0.6 : 0; // what is worst is not hidden by what is not
      const far = z[0] * dx + z[1] * dy + z[2] * dz - lift * this.voxel_mm;
      const u = Math.round(left + scale * (x[0] * dx + x[1] * dy + x[2] * dz)) - half;
      const v = Math.round(top + scale * (y[0] * dx + y[1] * dy + y[2] * dz)) - half;
      for (let row = Math.max(v, 0); row < Math.min(v + side, height); row += 1)
        for (let column = Math.max(u, 0); column < Math.min(u + side, width); column += 1) {
          const pixel = row * width + column;
          if (far >= depth[pixel]) continue;
          depth[pixel] = far;
          data[4 * pixel] = rgb[0]; data[4 * pixel + 1] = rgb[1]; data[4 * pixel + 2] = rgb[2]; data[4 * pixel + 3] = 255;
        }
    }
  }

  number(context, turn) {
    context.font = "bold 18px sans-serif"; context.lineWidth = 4; context.strokeStyle = "#fff"; context.fillStyle = "#00359e";
    this.marks.forEach((place, at) => {
      const [u, v] = this.place(turn, ...place);
      context.beginPath(); context.arc(u, v, 16, 0, 2 * Math.PI); context.strokeStyle = "#fff"; context.lineWidth = 5; context.stroke();
      context.strokeStyle = "#00359e"; context.lineWidth = 2.5; context.stroke();
      context.strokeStyle = "#fff"; context.lineWidth = 4;
      context.strokeText(`${at + 1}`, u + 18, v - 12); context.fillText(`${at + 1}`, u + 18, v - 12);
    });
  }

  listen() {
    const { canvas } = this;
    const turn = (yaw, pitch) => {
      this.yaw += yaw; this.pitch = Math.max(-1.57, Math.min(1.57, this.pitch + pitch)); this.draw(); };
    const keys = { ArrowLeft: () => turn(-0.15, 0), ArrowRight: () => turn(0.15, 0), ArrowUp: () => turn(0, 0.15),
      ArrowDown: () => turn(0, -0.15), "+": () => this.nearer(1.25), "-": () => this.nearer(0.8), Home: () => this.reset() };
    canvas.addEventListener("keydown", (event) => {
      if (keys[event.key]) { event.preventDefault(); keys[event.key](); } });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) turn(event.movementX * 0.01, event.movementY * 0.01); });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.nearer(event.deltaY < 0 ? 1.1 : 0.9); }, { passive: false });
  }

  nearer(factor) { this.zoom = Math.max(0.5, Math.min(20, this.zoom * factor)); this.draw(); }
}

/** Darker where what is around stands nearer: edges and steps show without a light. */
function shade({ width, height, data, depth }, reach) {
  for (let row = 1; row < height - 1; row += 1) for (let column = 1; column < width - 1; column += 1) {
    const pixel = row * width + column, own = depth[pixel];
    if (own === Infinity) continue;
    let nearer = 0;
    for (const other of [pixel - 1, pixel + 1, pixel - width, pixel + width])
      nearer += Math.min(Math.max(own - depth[other], 0), reach);
    const light = 1 - 0.55 * Math.min(nearer / (2 * reach), 1);
    for (let channel = 0; channel < 3; channel += 1) data[4 * pixel + channel] *= light;
  }
}
