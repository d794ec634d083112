export { default } from './orders.plugin.js';
